#!/bin/bash
# Counts of instructions of the hot paths; scripts/bench --instructions tells what for.
#
#     instructions.sh count PATHS PAGEFS [NAME]...   lines `name TAB instructions`, to stdout
#     instructions.sh compare OLD NEW                two such files, side by side
#
# PATHS is the program of paths.c, with its options if any, PAGEFS the daemon that it is the
# client of. A path is run COUNT and 2 COUNT times: what starting and ending cost falls out.
# compare fails when a path has grown by more than two runs of the same build differ by.
# Those of the library do not differ. In a daemon, how often threads and the kernel wait for
# one another depends on what else the machine does: a listing has been seen at 1.46.
set -u
drift=1.005
mount_drift=1.5

# Instructions that the command has run, by what callgrind says on its stderr.
counted()
{
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 >/dev/null |
        awk '/Collected :/ { print $4 }'
}

wait_for_mount() # MOUNTPOINT PID
{
    until mountpoint -q "$1"; do
        kill -0 "$2" 2>/dev/null || return 1
        sleep 0.1
    done
}

# The same for a daemon while paths uses it.
counted_mount() # PATHS PAGEFS NAME COUNT
{
    local daemon status
    rm -f db.v3
    "$2" create db.v3 1000000 && mkdir -p mnt || return 1
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$2" -f -o sync=none \
        db.v3 mnt >/dev/null 2>log &
    daemon=$!
    wait_for_mount mnt $daemon || return 1
    echo 2-999999 >mnt/free
    "$1" "$3" "$4" mnt
    status=$?
    fusermount3 -u mnt
    wait $daemon
    # its helper is counted as well, and does next to nothing
    awk '/Collected :/ && $4 > most { most = $4 } END { print most }' log
    return $status
}

count_one() # PATHS PAGEFS NAME COUNT
{
    local once twice
    if [[ $3 == mount* ]]; then
        once=$(counted_mount "$1" "$2" "$3" "$4") &&
            twice=$(counted_mount "$1" "$2" "$3" $((2 * $4))) || return 1
    else
        # shellcheck disable=SC2086
        once=$(counted $1 "$3" "$4")
        # shellcheck disable=SC2086
        twice=$(counted $1 "$3" $((2 * $4)))
    fi
    [[ -n $once && -n $twice ]] && ((twice > once)) || return 1
    awk -v name="$3" -v n="$4" -v a="$once" -v b="$twice" \
        'BEGIN { printf "%s\t%.2f\n", name, (b - a) / n }'
}

count() # PATHS PAGEFS [NAME]...
{
    local paths=$1 pagefs=$2 name times work counted=0 status=0
    shift 2
    work=$(mktemp -d "${TMPDIR:-/tmp}/pn-XXXXXX") || return 1
    cd "$work" || return 1
    while IFS=$'\t' read -r name times <&3; do
        (($# == 0)) || printf '%s\n' "$@" | grep -qxF "$name" || continue
        counted=$((counted + 1))
        count_one "$paths" "$pagefs" "$name" "$times" || {
            echo "$name: cannot be counted" >&2
            status=1
        }
    done 3< <($paths)
    mountpoint -q mnt && fusermount3 -u mnt
    cd / && rm -r "$work"
    ((counted > 0)) || echo "$paths: nothing was counted" >&2
    return $((status || counted == 0))
}

compare() # OLD NEW
{
    awk -F '\t' -v library=$drift -v mount=$mount_drift '
        BEGIN { printf "%-38s %12s %12s %8s\n", "path", "old", "new", "ratio" }
        /^#/ { next }
        FNR == NR { old[$1] = $2; next }
        { rows++ }
        !($1 in old) { printf "%-38s %12s %12.1f %8s\n", $1, "-", $2, "-"; next }
        {
            ratio = old[$1] > 0 ? $2 / old[$1] : 1
            drift = $1 ~ /^mount/ ? mount : library
            word = ratio > drift ? " slower" : ratio * drift < 1 ? " faster" : ""
            slower += ratio > drift
            printf "%-38s %12.1f %12.1f %8.3f%s\n", $1, old[$1], $2, ratio, word
        }
        END { exit slower > 0 ? 1 : rows == 0 ? 2 : 0 }' "$1" "$2"
}

command=${1:-}
shift
case $command in
count) count "$@" ;;
compare) compare "$@" ;;
*)
    echo "usage: instructions.sh count PATHS PAGEFS [NAME]... | compare OLD NEW" >&2
    exit 2
    ;;
esac
