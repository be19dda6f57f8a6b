# shellcheck shell=bash
# bash completion for pagefs; needs nothing but bash.

_pagefs_files()
{
    mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
    compopt -o filenames
}

# The words after -o: a list with commas, where = is a word break of its own. $1: what
# stands before the list in the same word, -o or nothing.
_pagefs_mount_options()
{
    local done=$1 names='rw require_rw ro scratch create create= max_pages= sync= walk
        hide_actions allow_other uid= gid= umask='

    compopt -o nospace
    cur=${cur#"$1"}
    if [[ $cur == *,* ]]; then
        done+=${cur%,*},
        cur=${cur##*,}
    fi
    mapfile -t COMPREPLY < <(compgen -P "$done" -W "$names" -- "$cur")
}

# What may follow NAME= in such a list.
_pagefs_value()
{
    local values=''

    local name=${1##*,}
    case ${name#-o} in
    sync) values='commit none' ;;
    uid) values=$(id -u) ;;
    gid) values=$(id -g) ;;
    umask) values='022 027 077' ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur")
}

_pagefs()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev='' before='' command=${COMP_WORDS[1]-}

    ((COMP_CWORD > 1)) && prev=${COMP_WORDS[COMP_CWORD - 1]}
    ((COMP_CWORD > 2)) && before=${COMP_WORDS[COMP_CWORD - 2]}
    COMPREPLY=()
    if [[ $cur == '=' ]]; then
        cur=''
        _pagefs_value "$prev"
    elif [[ $prev == '=' ]]; then
        _pagefs_value "$before"
    elif [[ $prev == -o ]]; then
        _pagefs_mount_options ''
    elif [[ $cur == -o?* ]]; then
        _pagefs_mount_options -o
    elif ((COMP_CWORD > 1)) && [[ $command == @(create|stat|map|check) ]]; then
        case $cur in
        -*)
            local options=--help
            [[ $command == map ]] && options='--help --svg'
            [[ $command == check ]] && options='--help --repair --dry-run --free-leaked
                --discard-journal --json'
            mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
            ;;
        *) _pagefs_files -f ;;
        esac
    elif [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '-d -f -h -o -s -V --help --version' -- "$cur")
    else
        _pagefs_files -f
        ((COMP_CWORD == 1)) &&
            mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY \
                < <(compgen -W 'create stat map check' -- "$cur")
    fi
}

complete -F _pagefs pagefs
