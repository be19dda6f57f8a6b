# shellcheck shell=bash
# What the stories share; sourced by them. A story is a bash script with the tools a user
# has, told step by step: `step TITLE COMMAND...` is one test case, which passes when the
# command does. The first that fails ends the story: what follows would mean nothing.
set -u
PATH=$(dirname "$PF_TEST_PAGEFS"):$PATH
export LC_ALL=C
work=$(mktemp -d "${TMPDIR:-/tmp}/pt-story-XXXXXX") || exit 1
cd "$work" || exit 1
mkdir p
steps=0

leave()
{
    mountpoint -q p && fusermount3 -uz p
    cd / && rm -rf --one-file-system "$work"
}
trap leave EXIT

if [[ ! -w /dev/fuse ]]; then
    echo '1..0 # SKIP cannot open /dev/fuse'
    exit 0
fi

step()
{
    local title=$1
    shift
    ((++steps))
    if "$@" >"$work/.out" 2>&1; then
        echo "ok $steps - $title"
        return
    fi
    echo "not ok $steps - $title"
    sed 's/^/# /' "$work/.out"
    echo "1..$steps"
    exit 1
}

# same WHAT GOT EXPECTED
same()
{
    [[ $2 == "$3" ]] || {
        printf '%s is\n%s\ninstead of\n%s\n' "$1" "$2" "$3"
        return 1
    }
}

# refused ERRNO-TEXT COMMAND...: it fails, and says so.
refused()
{
    local text=$1 said
    shift
    if said=$("$@" 2>&1); then
        echo "succeeded: $*"
        return 1
    fi
    [[ $said == *"$text"* ]] || {
        echo "said: $said"
        return 1
    }
}

the_end()
{
    echo "1..$steps"
}
