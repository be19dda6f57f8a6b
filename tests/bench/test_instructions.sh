#!/bin/bash
# The comparison of counts of instructions sees a path that has become slower, and nothing
# where nothing has changed.
#
#     test_instructions.sh PATHS PAGEFS
set -u
here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d "${TMPDIR:-/tmp}/pn-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
number=0

if ! command -v valgrind >/dev/null; then
    echo "1..0 # SKIP valgrind is not installed"
    exit 0
fi

report() # STATUS CLAIM
{
    number=$((number + 1))
    (($1 == 0)) && echo "ok $number - $2" || echo "not ok $number - $2"
}

count() # PATHS FILE
{
    "$here/instructions.sh" count "$1" "$pagefs" stats >"$work/$2"
}

compare() # OLD NEW
{
    "$here/instructions.sh" compare "$work/$1" "$work/$2" | sed 's/^/# /'
    return "${PIPESTATUS[0]}"
}

paths=$1 pagefs=$2
echo 1..5
count "$paths" once && count "$paths" again && count "$paths -t" twice
[[ $? == 0 && -s $work/once && -s $work/again && -s $work/twice ]]
report $? "paths are counted"
compare once again
report $? "the same program has not become slower"
compare once twice
(($? == 1))
report $? "what has become slower is a failure"
compare twice once
report $? "what has become faster is none"
count /nonexistent none
nothing=$?
compare once none
((nothing != 0 && $? == 2))
report $? "where nothing is counted or compared, that is a failure"
