# SPDX-License-Identifier: Apache-2.0
# fish completion for virtrigaud-exporter: flags, their words and meanings are those of its own --help.

# What complete takes for a flag with this value, which is after [ if it may be left out.
function __virtrigaud_exporter_value
    switch "$argv[1]"
        case PATH
            printf '%s\n' -r -F
        case DIR
            printf '%s\n' -x -a '(__fish_complete_directories)'
        case GROUP
            printf '%s\n' -x -a '(__fish_complete_groups)'
        case PID
            printf '%s\n' -x -a '(pidof virtrigaud-exporter 2>/dev/null | string split " ")'
        case 'N|*' 'SIZE|*'
            printf '%s\n' -x -a (string split -f 2 '|' -- $argv[1])
        case '[*|*'
            printf '%s\n' -f -a (string trim -c '[]' -- $argv[1] | string replace -a '|' ' ')
        case '*|*'
            printf '%s\n' -x -a (string replace -a '|' ' ' -- $argv[1])
        case '?*'
            echo -x
        case ''
            echo -f
    end
end

function __virtrigaud_exporter_flags
    # Users other than root do not have its folder in their PATH.
    set -l program (commandline -opc 2>/dev/null)[1]
    type -q "$program"; or set program virtrigaud-exporter
    set -l flag
    set -l value
    set -l negated
    for line in ($program --help 2>/dev/null)
        if string match -q -- '  --*' $line
            set flag (string replace -r '^  --([[]no-[]])?([a-z.-]+).*' '$2' -- $line)
            set value (string replace -r '^.*?([[]?)=(.*)|.*' '$1$2' -- $line)
            set negated (string match -r '[[]no-[]]' -- $line)
        else if test -n "$flag"
            set -l meaning (string replace ' (repeatable)' '' -- (string trim -- $line))
            complete -c virtrigaud-exporter -l $flag -d $meaning (__virtrigaud_exporter_value $value)
            test -z "$negated"; or complete -c virtrigaud-exporter -f -l no-$flag -d "Not: $meaning"
            set flag
        end
    end
end

complete -c virtrigaud-exporter -f
__virtrigaud_exporter_flags
functions -e __virtrigaud_exporter_flags __virtrigaud_exporter_value
