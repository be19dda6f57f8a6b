#compdef pagefs
# zsh completion for pagefs.

_pagefs_command()
{
    local -a commands=(
        'create:make a new database'
        'stat:print counts and state'
        'map:print what each page is'
        'check:find everything that is wrong, and repair it'
    )
    _describe -t commands 'command' commands
    _files
}

_pagefs_mount_options()
{
    _values -s , 'mount option' \
        'rw[read-write, the default]' \
        'require_rw[refuse to mount where rw would become ro]' \
        'ro[change nothing]' \
        'scratch[everything works, in memory only]' \
        'create[make the database first if there is none]::pages:' \
        'max_pages[never let the file grow over so many pages]:pages:' \
        'sync[wait for the disk at each commit, or never]:when:(commit none)' \
        'walk[walk the graph before the mount answers]' \
        'hide_actions[do not list alloc and hold]' \
        'allow_other[let other users in]' \
        'uid[owner of the files]:user id:' \
        'gid[group of the files]:group id:' \
        'umask[mode bits to take away]:octal:'
}

local -a switches=(
    '(-f)-d[stay in the foreground and print every request]'
    '-f[stay in the foreground]'
    '-s[accepted, without effect]'
    '(- *)'{-h,--help}'[print a summary]'
    '(- *)'{-V,--version}'[print the version]'
    '*-o+[mount options]:option:_pagefs_mount_options'
)

if ((CURRENT > 2)); then
    case $words[2] in
    create)
        shift words
        ((CURRENT--))
        _arguments '(- *)'{-h,--help}'[print a summary]' '1:new database:_files' '2:pages'
        return
        ;;
    stat)
        shift words
        ((CURRENT--))
        _arguments '(- *)'{-h,--help}'[print a summary]' '1:database:_files'
        return
        ;;
    map)
        shift words
        ((CURRENT--))
        _arguments '(- *)'{-h,--help}'[print a summary]' '--svg[a picture]' \
            '1:database:_files'
        return
        ;;
    check)
        shift words
        ((CURRENT--))
        _arguments '(- *)'{-h,--help}'[print a summary]' \
            '--repair[make the file fit for writing]' \
            '--dry-run[with --repair: print each change, make none]' \
            '--free-leaked[with --repair: free the leaked pages]' \
            '--discard-journal[with --repair: set a refused journal aside]' \
            '--json[print one JSON object]' \
            '1:database:_files'
        return
        ;;
    esac
fi
_arguments -s $switches '1:database or command:_pagefs_command' '2:mountpoint:_files -/'
