#!/bin/bash
# Story: my engine's allocator under test from a shell script, with a crash in the middle.
#
# Four shells allocate, write and free pages and log each answer that they got. In the
# middle the daemon is killed. After the next mount everything that was answered is so.
. "$(dirname "$0")/story.sh"

# One client: forever take two pages, write one, give the other back.
client()
{
    local kept freed
    while kept=$(cat p/alloc) && freed=$(cat p/alloc); do
        echo "taken $kept" >>"log.$1"
        echo "owner $1" >"p/pages/$kept/data" && echo "written $kept" >>"log.$1"
        echo "$freed" >p/free && echo "freed $freed" >>"log.$1"
    done 2>/dev/null
}

crash_in_the_middle()
{
    local i clients=()
    pagefs -f engine.v3 p &
    daemon=$!
    until mountpoint -q p; do
        kill -0 "$daemon" || return 1
        sleep 0.01
    done
    for i in 1 2 3 4; do
        : >"log.$i"
        client "$i" &
        clients+=($!)
    done
    until (($(cat log.* | grep -c written) >= 40)); do
        kill -0 "$daemon" || return 1
        sleep 0.01
    done
    kill -9 "$daemon"
    wait "$daemon" "${clients[@]}" 2>/dev/null
    return 0
}

dead_mount_is_explained()
{
    pagefs engine.v3 p 2>said && return 1
    grep -q 'fusermount3 -u' said && fusermount3 -u p
}

nothing_answered_is_lost()
{
    local i what page
    for i in 1 2 3 4; do
        while read -r what page; do
            case $what in
            taken) same "state of $page" "$(cat "p/pages/$page/state")" allocated ;;
            written) same "data of $page" "$(head -n 1 "p/pages/$page/data" | tr -d '\0')" \
                "owner $i" ;;
            esac || return 1
        done <"log.$i"
    done
}

# A page freed last by its last user is free, unless a later allocation was not answered.
frees_hold()
{
    local page state unanswered=0
    while read -r page; do
        grep -qx "taken $page" log.* && continue
        state=$(cat "p/pages/$page/state")
        [[ $state == free ]] || ((++unanswered))
    done < <(sed -n 's/^freed //p' log.* | sort -nu)
    ((unanswered <= 8)) # four clients, two pages under way each at most
}

nobody_has_the_same_page()
{
    same 'pages taken twice' "$(sed -n 's/^taken //p' log.* | sort | uniq -d)" ''
}

counts_add_up()
{
    awk '$1 == "total_pages" {t = $2} $1 == "allocated_pages" {a = $2}
         $1 == "free_pages" {f = $2} END {exit !(t > 0 && a + f == t)}' p/stats &&
        same 'the length of the list' "$(wc -l <p/freelist)" \
            "$(awk '$1 == "free_pages" {print $2}' p/stats)"
}

pagefs create engine.v3 100
step 'four shells use the allocator, and the daemon is killed' crash_in_the_middle
step 'the journal is beside the database' test -s engine.v3-journal
step 'a mount over the dead one says what to type' dead_mount_is_explained
step 'the next mount replays' pagefs engine.v3 p
step 'every page that was answered is allocated, every write is there' \
    nothing_answered_is_lost
step 'what was freed is free' frees_hold
step 'no page was handed out twice' nobody_has_the_same_page
step 'the counts add up' counts_add_up
step 'unmounted' fusermount3 -u p
step 'a check finds no damage' pagefs check engine.v3
step 'no journal is left' test ! -e engine.v3-journal
the_end
