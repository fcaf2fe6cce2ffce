# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Completion of dsv for bash.  dsv itself is asked for commands and options,
# and for the revisions, branches, names, scopes and keys of the repository
# that the command line names.

# Print what dsv prints, without errors: nothing if there is no repository.
_dsv_ask() {
	DSV_PAGER='' DSV_TRACE='' "${_dsv_global[@]}" --lock-wait 1s "$@" \
		2>/dev/null </dev/null
}

_dsv_branches() {
	_dsv_ask branch | cut -c3-
}

_dsv_names() {
	_dsv_ask name | cut -d' ' -f1
}

_dsv_scopes() {
	_dsv_ask scope list | cut -d' ' -f1
}

# Print the keys of HEAD, else of the newest state; $1: params or attr.
_dsv_keys() {
	local out

	out=$(_dsv_ask "$1" HEAD)
	[ -n "$out" ] || out=$(_dsv_ask "$1" "$(_dsv_ask find -n1)")
	sed -n 's/^\([A-Za-z_][A-Za-z0-9_.\/-]*\)=.*/\1/p' <<<"$out"
}

_dsv_all_keys() {
	_dsv_keys attr
	_dsv_keys params
}

_dsv_revs() {
	echo HEAD
	_dsv_branches
	_dsv_names
	case $1 in
	max:*@* | min:*@*)
		echo "${1%@*}@*"
		_dsv_branches | sed "s|^|${1%@*}@|"
		;;
	max:* | min:*)
		_dsv_keys attr | sed "s/^/${1%%:*}:/"
		;;
	[0-9a-f]*)
		_dsv_ask find -n 100 --format '%(id:short)'
		;;
	esac
}

# Print the paths of the state before the colon.
_dsv_paths() {
	_dsv_ask show --json "${1%%:*}" |
		sed -n 's/.*"path": *"\([^"\\]*\)".*/\1/p' | sed "s|^|${1%%:*}:|"
}

# Print files ($1: -f) or directories (-d); the mark tells readline so.
_dsv_files() {
	echo $'\037'
	compgen "$1" -- "$2"
}

# Print words for a value that -h calls $1; $2 is what is already typed.
_dsv_value() {
	case $1 in
	BRANCH | OLD | NEW) _dsv_branches ;;
	SCOPE) _dsv_scopes ;;
	REV) _dsv_revs "$2" ;;
	NAME) _dsv_names ;;
	KEY | '[-]KEY' | KEY,...) _dsv_all_keys ;;
	max:KEY:N*) _dsv_keys attr | sed 's/.*/max:&:\nmin:&:/' ;;
	KEY:N) _dsv_keys attr | sed 's/$/:/' ;;
	DIR) _dsv_files -d "$2" ;;
	FILE) _dsv_files -f "$2" ;;
	now | group) echo "$1" ;;
	*\|*) tr '|' '\n' <<<"$1" ;;
	esac
}

# Print words for the value of option $2 of command $1.
_dsv_option_value() {
	local letter name value

	while IFS=$'\037' read -r letter name value _; do
		[ "$2" = "$letter" ] || [ "$2" = "$name" ] || continue
		case "$name $value" in
		--param\ * | --set\ * | --unset-param\ *)
			if [ "$name" = --unset-param ]; then
				_dsv_keys params
			else
				_dsv_keys params | sed 's/$/=/'
			fi
			;;
		--attr\ *) _dsv_keys attr | sed 's/$/=/' ;;
		--format\ FORMAT)
			[ "$1" != params ] ||
				echo "json nested env argparse hydra lines" |
				tr ' ' '\n'
			;;
		--policy\ *)
			_dsv_ask config --list |
				sed -n 's/^prune\.\(.*\)\.[^.]*=.*/\1/p'
			;;
		*) _dsv_value "$value" "$3" ;;
		esac
		return
	done < <(_dsv_options "$1")
}

# Print LETTER, --NAME, VALUE, HELP, separated by \037; $1 is "" for dsv itself.
_dsv_options() {
	# shellcheck disable=SC2086
	_dsv_ask $1 --list-options | tr '\t' '\037'
}

# Print words for operand $2 (from 0) of command $1; $3 is already typed.
_dsv_operand() {
	case $1,$2 in
	cat,0)
		case $3 in
		max:*:* | min:*:* | max:* | min:*) _dsv_revs "$3" ;;
		*:*) _dsv_paths "$3" ;;
		*) _dsv_revs "$3" ;;
		esac
		;;
	checkout,1 | init,0) _dsv_files -d "$3" ;;
	tag,*) _dsv_files -f "$3" ;;
	attr,0 | params,0 | branch,1 | name,1 | fork,0) _dsv_revs "$3" ;;
	attr,*) _dsv_keys attr | sed 's/$/=/' ;;
	params,1) _dsv_keys params ;;
	branch,0 | switch,0) _dsv_branches ;;
	name,0) _dsv_names ;;
	"bisect run",*) _dsv_files -f "$3"; compgen -c -- "$3" ;;
	"scope open",0 | "scope close",0 | "scope add",0 | "scope rm",0)
		_dsv_scopes
		;;
	help,0) _dsv_ask --list-commands | cut -f1 ;;
	config,0)
		_dsv_ask config --list | cut -d= -f1
		printf '%s\n' prune.grace prune.headGrace core.guardLock \
			core.fsync core.localTier color.ui queue.auto \
			safe.repository
		;;
	log,* | wait,* | diff,* | show,0 | next,0 | prev,0 | merge-base,[01] | \
	    rev-parse,* | checkout,0 | pin,* | unpin,* | prune,* | restore,* | \
	    "scope add",* | "scope rm",* | "bisect start",[01] | \
	    "bisect good",* | "bisect bad",* | "bisect skip",*)
		_dsv_revs "$3"
		;;
	esac
}

# Print the candidates for the word $cur, one per line.
_dsv_candidates() {
	local cmd='' sub='' takes='' word count=0 prev=''

	for word in "${words[@]:1}"; do
		if [ -n "$takes" ]; then
			case $takes in
			-C | --repo) _dsv_global+=("$takes" "$word") ;;
			esac
			takes=''
			continue
		fi
		case $word in
		--)
			_dsv_files -f "$cur"
			compgen -c -- "$cur"
			return
			;;
		--repo=*) _dsv_global+=("$word") ;;
		-*=*) ;;
		-*)
			prev=$(_dsv_options "$cmd" | awk -F '\037' -v o="$word" \
				'($1 == o || $2 == o) && $3 != "" { print "v" }')
			[ -z "$prev" ] || [ "$word" = --data ] || takes=$word
			;;
		*)
			if [ -z "$cmd" ]; then
				cmd=$word
			elif [ -z "$sub" ] && _dsv_is_group "$cmd"; then
				sub=$word
				cmd="$cmd $sub"
			else
				count=$((count + 1))
			fi
			;;
		esac
	done
	if [ -n "$takes" ]; then
		_dsv_option_value "$cmd" "$takes" "$cur"
		return
	fi
	case $cur in
	--*=*)
		_dsv_option_value "$cmd" "${cur%%=*}" "${cur#*=}" |
			sed "/^\o037/!s|^|${cur%%=*}=|"
		;;
	-*)
		_dsv_options "$cmd" | awk -F '\037' '
			$2 == "" { print $1 } $2 != "" { print $2 }'
		;;
	*)
		if [ -z "$cmd" ]; then
			_dsv_ask --list-commands | cut -f1
		elif [ -z "$sub" ] && _dsv_is_group "$cmd"; then
			_dsv_subs "$cmd"
		else
			_dsv_operand "$cmd" "$count" "$cur"
		fi
		;;
	esac
}

_dsv_subs() {
	_dsv_ask "$1" -h | sed -n '1s/.* \([a-z]*|[a-z|]*\) .*/\1/p' | tr '|' '\n'
}

_dsv_is_group() {
	[ "$1" = bisect ] || [ "$1" = job ] || [ "$1" = scope ]
}

# Readline breaks words at ":" and "=", but a revision or K=V is one word here.
_dsv() {
	local cur words line=${COMP_LINE:0:COMP_POINT} cut candidate
	local _dsv_global=("${COMP_WORDS[0]}")

	read -ra words <<<"$line"
	cur=''
	case $line in
	*[[:space:]]) ;;
	*)
		cur=${words[${#words[@]} - 1]}
		unset "words[${#words[@]} - 1]"
		;;
	esac
	cut=''
	case $cur in *[:=]*) cut=${cur%"${cur##*[:=]}"} ;; esac
	COMPREPLY=()
	while IFS= read -r candidate; do
		case $candidate in
		$'\037'*) compopt -o filenames 2>/dev/null ;;
		"$cur"*) COMPREPLY+=("${candidate#"$cut"}") ;;
		esac
	done < <(_dsv_candidates | awk '!seen[$0]++')
	case "${COMPREPLY[*]}" in *[=:/]) compopt -o nospace 2>/dev/null ;; esac
}

complete -F _dsv dsv
