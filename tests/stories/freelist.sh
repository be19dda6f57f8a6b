#!/bin/bash
# Story: the free list is corrupt. What is lost? Repair it without touching the graph.
#
# Works on the real graph `medium`: 1,276 pages, 15 of them leaked. The pages of the graph
# are compared as bytes of the file, not as pagefs sees them.
. "$(dirname "$0")/story.sh"

fifteen=(6 7 10 11 12 53 54 55 87 88 135 136 191 192 193)

# Every page but 0 (the header) and the fifteen, as bytes of the file.
graph_sum()
{
    local from=1 page
    for page in "${fifteen[@]}" 1276; do
        ((page > from)) && tail -c +$((112 + (from - 1) * 4096 + 1)) medium.v3 |
            head -c $(((page - from) * 4096))
        from=$((page + 1))
    done | sha256sum
}

damage()
{
    local offset
    pagefs medium.v3 p && echo "${fifteen[@]}" >p/free &&
        offset=$(cat "p/pages/${fifteen[0]}/offset") && fusermount3 -u p &&
        pagefs stat medium.v3 && # which waits for the daemon to end
        printf 'stray write' |
        dd of=medium.v3 bs=1 seek=$((offset + 64)) conv=notrunc status=none
    sum=$(sha256sum <medium.v3)
}

read_only_with_the_reason()
{
    pagefs medium.v3 p 2>said || return 1
    same mode "$(awk '/^mode/{print $2}' p/status)" ro &&
        grep -q 'mounted read-only: the free list is corrupt: page 6' said &&
        refused 'Read-only file system' cat p/alloc &&
        fusermount3 -u p &&
        same 'the file' "$(sha256sum <medium.v3)" "$sum"
}

check_says_what_is_lost()
{
    pagefs check medium.v3 >report
    same 'the exit status' $? 4 &&
        grep -q '^page 6: free-list: ' report &&
        same 'pages not accounted for' \
            "$(sed -n 's/^page \([0-9]*\): leaked.*/\1/p' report | xargs)" "${fifteen[*]}" &&
        grep -qx 'nodes 1988' report && grep -qx 'edges 1249' report &&
        pagefs check --json medium.v3 | jq -e '.findings | length > 0' >/dev/null
}

dry_run_changes_nothing()
{
    pagefs check --repair --free-leaked --dry-run medium.v3 >report
    grep -q '^would: write the free list anew' report &&
        same 'the file' "$(sha256sum <medium.v3)" "$sum"
}

repair()
{
    pagefs check --repair --free-leaked medium.v3
    same 'the exit status' $? 1
}

the_list_has_the_fifteen_again()
{
    local next
    pagefs medium.v3 p &&
        same 'the list' "$(sort -n p/freelist | xargs)" "${fifteen[*]}" &&
        next=$(head -n 1 p/freelist | tr -d ' ') &&
        same 'the page handed out' "$(cat p/alloc)" "$next" &&
        fusermount3 -u p
}

cp "$PF_TEST_DATA"/medium.v3 "$PF_TEST_DATA"/medium.v3edgemeta .
graph=$(graph_sum)
step 'a stray write hits the page that lists the free pages' damage
step 'the mount is read-only and says why' read_only_with_the_reason
step 'check says what is lost: the list, and nothing of the graph' check_says_what_is_lost
step 'a dry run changes nothing' dry_run_changes_nothing
step 'repair' repair
step 'not a byte of the graph was changed' same 'the graph' "$(graph_sum)" "$graph"
step 'a second check is clean' pagefs check medium.v3
step 'the pages can be used again' the_list_has_the_fifteen_again
step 'and nobody touched the graph since' same 'the graph' "$(graph_sum)" "$graph"
the_end
