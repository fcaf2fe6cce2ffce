#compdef dsv
# SPDX-License-Identifier: MIT
#
# Completion of dsv for zsh.  dsv itself is asked for commands and options, and
# for the revisions, branches, names, scopes and keys of the repository that
# the command line names.

# Print what dsv prints, without errors: nothing if there is no repository.
_dsv_ask() {
	DSV_PAGER= DSV_TRACE= "${global[@]}" --lock-wait 1s "$@" \
		2>/dev/null </dev/null
}

# Print LETTER, --NAME, VALUE, HELP; $1 is "" for dsv itself.
_dsv_options() {
	_dsv_ask ${=1} --list-options
}

# Print the keys of HEAD, else of the newest state; $1: params or attr.
_dsv_keys() {
	local out=$(_dsv_ask $1 HEAD)

	[[ -n $out ]] || out=$(_dsv_ask $1 "$(_dsv_ask find -n1)")
	sed -n 's/^\([A-Za-z_][A-Za-z0-9_.\/-]*\)=.*/\1/p' <<<$out
}

# Add the lines of stdin as candidates for what stands behind $1 in the word.
_dsv_add() {
	local -a list=("${(@f)$(cat)}")

	list=("${(@)list:#}")
	(( $#list )) || return 1
	[[ -z $1 ]] || compset -P "$1"
	compadd -Q "${@:2}" -a list
}

_dsv_branches() { _dsv_ask branch | cut -c3- }
_dsv_names() { _dsv_ask name | cut -d' ' -f1 }
_dsv_scopes() { _dsv_ask scope list | cut -d' ' -f1 }

_dsv_revs() {
	case $PREFIX in
	(max|min):*@*)
		{ echo '\*'; _dsv_branches } | _dsv_add '*@'
		;;
	(max|min):*)
		_dsv_keys attr | _dsv_add '*:' -S ''
		;;
	*)
		{
			print -l HEAD
			_dsv_branches
			_dsv_names
			[[ $PREFIX != [0-9a-f]* ]] ||
				_dsv_ask find -n 100 --format '%(id:short)'
		} | _dsv_add ''
		;;
	esac
}

_dsv_paths() {
	case $PREFIX in
	(max|min):*:* | [^:]#:*~(max|min):*)
		_dsv_ask show --json "${PREFIX%:*}" |
			sed -n 's/.*"path": *"\([^"\\]*\)".*/\1/p' |
			_dsv_add '*:'
		;;
	*) _dsv_revs ;;
	esac
}

# Complete a value that -h calls $3, of option $2 of command $1.
_dsv_value() {
	case "$2 $3" in
	--param\ * | --set\ *) _dsv_keys params | _dsv_add '' -S = ;;
	--unset-param\ *) _dsv_keys params | _dsv_add '' ;;
	--attr\ *) _dsv_keys attr | _dsv_add '' -S = ;;
	*\ FORMAT)
		[[ $1 != params ]] ||
			print -l json nested env argparse hydra lines |
			_dsv_add ''
		;;
	--policy\ *)
		_dsv_ask config --list |
			sed -n 's/^prune\.\(.*\)\.[^.]*=.*/\1/p' | _dsv_add ''
		;;
	*\ BRANCH) _dsv_branches | _dsv_add '' ;;
	*\ SCOPE) _dsv_scopes | _dsv_add '' ;;
	*\ REV) _dsv_revs ;;
	*\ NAME) _dsv_names | _dsv_add '' ;;
	*\ KEY | *\ '[-]KEY' | *\ KEY,...)
		{ _dsv_keys attr; _dsv_keys params } | sort -u | _dsv_add ''
		;;
	*\ max:KEY:N*)
		case $PREFIX in
		*:*) _dsv_keys attr | _dsv_add '*:' -S : ;;
		*) print -l max min | _dsv_add '' -S : ;;
		esac
		;;
	*\ KEY:N) _dsv_keys attr | _dsv_add '' -S : ;;
	*\ DIR) _files -/ ;;
	*\ FILE) _files ;;
	*\ now | *\ group) print -r -- $3 | _dsv_add '' ;;
	*\|*) print -l -- ${(s:|:)3} | _dsv_add '' ;;
	esac
}

# Complete the value of option $2 of command $1.
_dsv_option_value() {
	local letter name value rest line
	local -a field

	for line in "${(@f)$(_dsv_options $1)}"; do
		field=("${(@ps:\t:)line}")
		if [[ $2 == $field[1] || $2 == $field[2] ]]; then
			_dsv_value "$1" "$field[2]" "$field[3]"
			return
		fi
	done
}

_dsv_all_options() {
	local line word
	local -a field list

	for line in "${(@f)$(_dsv_options $1)}"; do
		field=("${(@ps:\t:)line}")
		word=${field[2]:-$field[1]}
		[[ -z $word ]] || list+=("$word:$field[4]")
	done
	_describe -o option list
}

# Complete operand number $2 (from 0) of command $1.
_dsv_operand() {
	case $1,$2 in
	cat,0) _dsv_paths ;;
	checkout,1 | init,0) _files -/ ;;
	tag,*) _files ;;
	bisect\ run,*) _files; _path_commands ;;
	attr,0 | params,0 | branch,1 | name,1 | fork,0) _dsv_revs ;;
	attr,*) _dsv_keys attr | _dsv_add '' -S = ;;
	params,1) _dsv_keys params | _dsv_add '' ;;
	branch,0 | switch,0) _dsv_branches | _dsv_add '' ;;
	name,0) _dsv_names | _dsv_add '' ;;
	scope\ (open|close|add|rm),0) _dsv_scopes | _dsv_add '' ;;
	help,0) _dsv_commands ;;
	config,0)
		{
			_dsv_ask config --list | cut -d= -f1
			print -l prune.grace prune.headGrace core.guardLock \
			core.fsync core.localTier color.ui queue.auto \
				safe.repository
		} | sort -u | _dsv_add ''
		;;
	(bisect\ (start|good|bad|skip)|log|wait|diff|rev-parse|pin|unpin|prune|restore|scope\ add|scope\ rm),* | \
	    (show|next|prev|checkout),0 | merge-base,[01])
		_dsv_revs
		;;
	esac
}

_dsv_commands() {
	local -a list=("${(@f)$(_dsv_ask --list-commands | sed 's/	/:/')}")

	_describe command list
}

_dsv() {
	setopt local_options extended_glob no_glob_subst
	local cmd sub takes word
	local -a global=("${(Q)words[1]}")
	integer count=0

	for word in "${(@Q)words[2,CURRENT-1]}"; do
		if [[ -n $takes ]]; then
			[[ $takes != (-C|--repo) ]] || global+=("$takes" "$word")
			takes=
			continue
		fi
		case $word in
		--)
			_normal
			return
			;;
		--repo=*) global+=("$word") ;;
		-*=*) ;;
		-*)
			[[ $word == --data ]] || ! _dsv_options "$cmd" |
				awk -F '\t' -v o="$word" '
				($1 == o || $2 == o) && $3 != "" { f = 1 }
				END { exit !f }' || takes=$word
			;;
		*)
			if [[ -z $cmd ]]; then
				cmd=$word
			elif [[ $cmd == (bisect|job|scope) ]]; then
				cmd="$cmd $word"
			else
				count+=1
			fi
			;;
		esac
	done
	if [[ -n $takes ]]; then
		_dsv_option_value "$cmd" "$takes"
	elif [[ $PREFIX == --*=* ]]; then
		word=${PREFIX%%=*}
		compset -P 1 '*='
		_dsv_option_value "$cmd" "$word"
	elif [[ $PREFIX == -* ]]; then
		_dsv_all_options "$cmd"
	elif [[ -z $cmd ]]; then
		_dsv_commands
	elif [[ $cmd == (bisect|job|scope) ]]; then
		_dsv_ask $cmd -h | sed -n '1s/.* \([a-z]*|[a-z|]*\) .*/\1/p' |
			tr '|' '\n' | _dsv_add ''
	else
		_dsv_operand "$cmd" $count
	fi
}

_dsv "$@"
