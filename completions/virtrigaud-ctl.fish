# SPDX-License-Identifier: Apache-2.0
# fish completion for virtrigaud-ctl: its commands and options, metrics from the catalogue, sources from the exporter.

# Whether these words, and no more, stand before the cursor; options and their values aside.
function __virtrigaud_ctl_after
    set -l tokens (commandline -opc)
    set -l words
    set -l skip no
    for token in $tokens[2..]
        if test $skip = yes
            set skip no
        else if contains -- $token --socket --admin.socket --interval --count --timeout
            set skip yes
        else if not string match -q -- '-*' $token
            set -a words $token
        end
    end
    test "$words" = "$argv"
end

function __virtrigaud_ctl_metrics
    virtrigaud-exporter --catalog.print 2>/dev/null | string replace -rf '^ *- name: *' ''
end

function __virtrigaud_ctl_sources
    virtrigaud-ctl --timeout 2 sources 2>/dev/null | tail -n +2 | string replace -r ' .*' ''
end

complete -c virtrigaud-ctl -f
complete -c virtrigaud-ctl -n '__virtrigaud_ctl_after' -a 'status sources series rejects top forget delete reload'
complete -c virtrigaud-ctl -n '__virtrigaud_ctl_after series; or __virtrigaud_ctl_after delete' -a '(__virtrigaud_ctl_metrics)'
complete -c virtrigaud-ctl -n '__virtrigaud_ctl_after forget' -a '(__virtrigaud_ctl_sources)'
complete -c virtrigaud-ctl -l socket -r -F -d 'Admin socket of the exporter'
complete -c virtrigaud-ctl -l json -d 'Print what the exporter answers'
complete -c virtrigaud-ctl -l follow -d 'rejects: also those to come'
complete -c virtrigaud-ctl -l series -d 'forget: delete its series, too'
complete -c virtrigaud-ctl -l interval -x -d 'top: from one view to the next, in seconds'
complete -c virtrigaud-ctl -l count -x -d 'top: end after so many views'
complete -c virtrigaud-ctl -l timeout -x -d 'Longest wait for the exporter, in seconds'
complete -c virtrigaud-ctl -s h -l help -d 'Print commands and options, and exit'
complete -c virtrigaud-ctl -l version -d 'Print version and revision, and exit'
