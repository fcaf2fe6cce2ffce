# SPDX-License-Identifier: MIT
#
# Completion of dsv for fish.  dsv itself is asked for commands and options,
# and for the revisions, branches, names, scopes and keys of the repository
# that the command line names.

# Print what dsv prints, without errors: nothing if there is no repository.
function __dsv_ask
    command -q -- $__dsv_global[1]; or return
    DSV_PAGER= DSV_TRACE= $__dsv_global --lock-wait 1s $argv 2>/dev/null </dev/null
end

# Print LETTER, --NAME, VALUE, HELP; without arguments, those of dsv itself.
function __dsv_options
    __dsv_ask (string split ' ' -- $argv[1]) --list-options
end

# Print the keys of HEAD, else of the newest state; argv: params or attr.
function __dsv_keys
    set -l out (__dsv_ask $argv[1] HEAD)
    test -n "$out"; or set out (__dsv_ask $argv[1] (__dsv_ask find -n1))
    string replace -rf '^([A-Za-z_][A-Za-z0-9_./-]*)=.*' '$1' -- $out
end

function __dsv_branches
    __dsv_ask branch | string sub -s 3
end

function __dsv_names
    __dsv_ask name | string replace -r ' .*' ''
end

function __dsv_scopes
    __dsv_ask scope list | string replace -r ' .*' ''
end

# argv is the word so far.
function __dsv_revs
    echo HEAD
    __dsv_branches
    __dsv_names
    switch "$argv[1]"
        case 'max:*@*' 'min:*@*'
            set -l head (string replace -r '@[^@]*$' '@' -- $argv[1])
            printf '%s\n' "$head*" $head(__dsv_branches)
        case 'max:*' 'min:*'
            printf '%s\n' (string sub -l 4 -- $argv[1])(__dsv_keys attr)
        case '*'
            if string match -qr '^[0-9a-f]' -- $argv[1]
                __dsv_ask find -n 100 --format '%(id:short)%t%(message)'
            end
    end
end

# Print words for a value, called argv[3] by -h, of option argv[2] of argv[1].
function __dsv_value
    switch "$argv[2] $argv[3]"
        case '--param *' '--set *'
            printf '%s=\n' (__dsv_keys params)
        case '--unset-param *'
            __dsv_keys params
        case '--attr *'
            printf '%s=\n' (__dsv_keys attr)
        case '* FORMAT'
            if test "$argv[1]" = params
                printf '%s\n' json nested env argparse hydra lines
            end
        case '--policy *'
            __dsv_ask config --list | string replace -rf '^prune\.(.*)\.[^.]*=.*' '$1'
        case '* BRANCH'
            __dsv_branches
        case '* SCOPE'
            __dsv_scopes
        case '* REV'
            __dsv_revs "$argv[4]"
        case '* NAME'
            __dsv_names
        case '* KEY' '* [-]KEY' '* KEY,...'
            begin
                __dsv_keys attr
                __dsv_keys params
            end | sort -u
        case '* max:KEY:N*'
            printf '%s\n' max:(__dsv_keys attr): min:(__dsv_keys attr):
        case '* KEY:N'
            printf '%s:\n' (__dsv_keys attr)
        case '* DIR'
            __fish_complete_directories "$argv[4]"
        case '* FILE'
            __fish_complete_path "$argv[4]"
        case '* now' '* group'
            echo $argv[3]
        case '*|*'
            string split '|' -- $argv[3]
    end
end

# Print words for the value of option argv[2] of command argv[1].
function __dsv_option_value
    for line in (__dsv_options "$argv[1]")
        set -l field (string split \t -- $line)
        if test "$argv[2]" = "$field[1]" -o "$argv[2]" = "$field[2]"
            __dsv_value "$argv[1]" "$field[2]" "$field[3]" "$argv[3]"
            return
        end
    end
end

# Print words for operand argv[2] (from 0) of command argv[1].
function __dsv_operand
    switch "$argv[1],$argv[2]"
        case 'cat,0'
            if string match -qr '^((max|min):)?[^:]+:' -- $argv[3];
                    and not string match -qr '^(max|min):[^:]*$' -- $argv[3]
                set -l rev (string replace -r ':[^:]*$' '' -- $argv[3])
                printf '%s\n' $rev:(__dsv_ask show --json $rev |
                    string replace -rf '.*"path": *"([^"\\\\]*)".*' '$1')
            else
                __dsv_revs "$argv[3]"
            end
        case 'checkout,1' 'init,0'
            __fish_complete_directories "$argv[3]"
        case 'tag,*' 'bisect run,*'
            __fish_complete_path "$argv[3]"
        case 'params,1'
            __dsv_keys params
        case 'branch,0' 'switch,0'
            __dsv_branches
        case 'name,0'
            __dsv_names
        case 'scope open,0' 'scope close,0' 'scope add,0' 'scope rm,0'
            __dsv_scopes
        case 'help,0'
            __dsv_ask --list-commands
        case 'config,0'
            begin
                __dsv_ask config --list | string replace -r '=.*' ''
                printf '%s\n' prune.grace prune.headGrace core.guardLock core.fsync core.localTier color.ui queue.auto safe.repository
            end | sort -u
        case 'attr,0' 'params,0' 'branch,1' 'name,1' 'fork,0' 'show,0' 'next,0' \
                'prev,0' 'checkout,0' 'merge-base,0' 'merge-base,1' 'log,*' 'wait,*' 'diff,*' \
                'bisect start,*' 'bisect good,*' 'bisect bad,*' 'bisect skip,*' \
                'rev-parse,*' 'pin,*' 'unpin,*' 'prune,*' 'restore,*' \
                'scope add,*' 'scope rm,*'
            __dsv_revs "$argv[3]"
        case 'attr,*'
            printf '%s=\n' (__dsv_keys attr)
    end
end

# Print the candidates for the word at the cursor.
function __dsv_complete
    set -l words (commandline -opc)
    set -l cur (commandline -ct)
    set -g __dsv_global $words[1]
    set -l cmd ''
    set -l takes ''
    set -l count 0
    for word in $words[2..-1]
        if test -n "$takes"
            contains -- $takes -C --repo; and set -a __dsv_global $takes $word
            set takes ''
            continue
        end
        switch $word
            case --
                __fish_complete_path "$cur"
                return
            case '--repo=*'
                set -a __dsv_global $word
            case '-*=*' --data
            case '-*'
                for line in (__dsv_options "$cmd")
                    set -l field (string split \t -- $line)
                    contains -- $word $field[1..2]; and test -n "$field[3]"; and set takes $word
                end
            case '*'
                if test -z "$cmd"
                    set cmd $word
                else if contains -- "$cmd" bisect job scope
                    set cmd "$cmd $word"
                else
                    set count (math $count + 1)
                end
        end
    end
    if test -n "$takes"
        __dsv_option_value "$cmd" $takes "$cur"
    else if string match -q -- '--*=*' $cur
        set -l part (string split -m1 = -- $cur)
        printf '%s\n' $part[1]=(__dsv_option_value "$cmd" $part[1] "$part[2]")
    else if string match -q -- '-*' $cur
        for line in (__dsv_options "$cmd")
            set -l field (string split \t -- $line)
            set -l word $field[2]
            test -n "$word"; or set word $field[1]
            printf '%s\t%s\n' $word $field[4]
        end
    else if test -z "$cmd"
        __dsv_ask --list-commands
    else if contains -- "$cmd" bisect job scope
        __dsv_ask $cmd -h | string replace -rf '^usage: dsv \w+ ([a-z]+\|[a-z|]+) .*' '$1' | string split '|'
    else
        __dsv_operand "$cmd" $count "$cur"
    end
end

complete -c dsv -f -a '(__dsv_complete)'
