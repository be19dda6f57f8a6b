#!/bin/bash
# Story: which operation leaks pages?
#
# An engine (here: shell functions) inserts, updates, deletes and compacts. One of the four
# forgets a page. A snapshot before each, its diff after it, and `events` find which, and
# which of its allocations it is.
. "$(dirname "$0")/story.sh"

take()
{
    cat p/alloc
}

insert()
{
    take >>table
}

update() # copy on write: a new page, then the old one goes
{
    local old new
    old=$(tail -n 1 table)
    new=$(take)
    sed -i "s/^$old\$/$new/" table
    echo "$old" >p/free
}

delete()
{
    local last
    last=$(tail -n 1 table)
    sed -i '$d' table
    echo "$last" >p/free
}

compact() # two pages of scratch space, one is given back
{
    local one two
    one=$(take)
    two=$(take)
    echo "$one" >p/free
    : "$two"
}

work_load()
{
    local name
    for name in insert insert insert insert update delete compact update; do
        mkdir "p/snapshots/$name" || return 1
        "$name" || return 1
        # what changed, less what the engine knows it has
        awk '$3 == "allocated" {print $1}' "p/snapshots/$name/diff" |
            grep -vxFf table | sed "s/^/$name /" >>leaks
        rmdir "p/snapshots/$name" || return 1
    done
}

culprit_is_compact()
{
    same 'what leaks' "$(cut -d ' ' -f 1 leaks)" compact
    leaked=$(cut -d ' ' -f 2 leaks)
    [[ -n $leaked ]] && ! grep -qx "$leaked" table
}

# The events of the leaked page after the snapshot of compact: one alloc, no free.
events_show_the_allocation()
{
    local told
    told=$(awk -v page="$leaked" '
        $3 == "snapshot" && $6 == "mkdir" {at++}
        at == 7 && $4 == page {print $3, $6, $7}' p/events)
    same 'the story of the page' "$told" 'alloc cat ok'
}

held_page_is_not_freed()
{
    exec 3<"p/pages/$leaked/hold"
    refused 'Device or resource busy' bash -c "echo $leaked >p/free" &&
        exec 3<&-
}

given_back()
{
    echo "$leaked" >p/free &&
        same 'allocated_pages' "$(awk '/^allocated_pages/ {print $2}' p/stats)" \
            $((40 + $(wc -l <table)))
}

file_is_unchanged()
{
    sha256sum -c --quiet before.sum
}

touch table leaks
pagefs create engine.v3 50
sha256sum engine.v3 >before.sum
step 'a mount that keeps nothing' pagefs -o scratch engine.v3 p
step 'free pages to begin with' bash -c 'echo 10-19 > p/free'
step 'the engine works, a snapshot before each operation' work_load
step 'the diff of one snapshot has a page the engine does not know' culprit_is_compact
step 'events name its allocation, by whom, and no free' events_show_the_allocation
step 'a hold keeps others from freeing it' held_page_is_not_freed
step 'given back, the counts are right' given_back
step 'unmounted' fusermount3 -u p
step 'and the file is as it was' file_is_unchanged
the_end
