# SPDX-License-Identifier: Apache-2.0
# fish completion for virtrigaud-emit: its options, and names from the catalogue.

function __virtrigaud_emit_names
    virtrigaud-exporter --catalog.print 2>/dev/null | string replace -rf '^ *- name: *' ''
end

# Whether no name stands yet: it comes once, before labels and value.
function __virtrigaud_emit_needs_name
    set -l takes --socket --op --count --values --exemplar --component --instance --label --pid --interval --timeout
    set -l tokens (commandline -opc)
    set -l skip no
    for token in $tokens[2..]
        if test $skip = yes
            set skip no
        else if contains -- $token $takes
            set skip yes
        else if not string match -q -- '-*' $token
            return 1
        end
    end
    test $skip = no
end

complete -c virtrigaud-emit -f
complete -c virtrigaud-emit -n __virtrigaud_emit_needs_name -a '(__virtrigaud_emit_names)'
complete -c virtrigaud-emit -l socket -r -F -d 'Path of the stream socket of the daemon'
complete -c virtrigaud-emit -l op -x -a 'add set observe' -d 'Operation; by default that of the type'
complete -c virtrigaud-emit -l count -x -d 'NAME is an event that occurred so many times'
complete -c virtrigaud-emit -l values -x -d 'Numbers in the place of a value'
complete -c virtrigaud-emit -l exemplar -x -d 'Label of the exemplar'
complete -c virtrigaud-emit -l metric -d 'NAME is a metric'
complete -c virtrigaud-emit -l event -d 'NAME is an event'
complete -c virtrigaud-emit -l component -x -a 'manager provider' -d 'Say hello as this component'
complete -c virtrigaud-emit -l instance -x -d 'Instance of the component'
complete -c virtrigaud-emit -l label -x -d 'Label of the hello, for all lines'
complete -c virtrigaud-emit -l session -d 'Count each line of standard input exactly once'
complete -c virtrigaud-emit -l keep-gauges -d 'Send again what gauges were set to'
complete -c virtrigaud-emit -l pid -x -a '(__fish_complete_pids)' -d 'End when this process has ended'
complete -c virtrigaud-emit -l interval -x -d 'How often the daemon hears of this client, in seconds'
complete -c virtrigaud-emit -l transient -d 'This client comes and goes'
complete -c virtrigaud-emit -l timeout -x -d 'Longest wait for the daemon, in seconds'
complete -c virtrigaud-emit -l dry-run -d 'Print what would be sent'
complete -c virtrigaud-emit -s h -l help -d 'Print all options, and exit'
complete -c virtrigaud-emit -l version -d 'Print version and revision, and exit'
