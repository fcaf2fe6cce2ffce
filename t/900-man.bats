#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Each command has a page, and the pages say what the program says

# A group's command is two words.
# shellcheck disable=SC2086,SC2154

load helper

doc=${BATS_TEST_DIRNAME}/../doc

# Print the names of all commands, for a group "job list" and so on.
all_commands() {
	local name

	"$program" --list-commands | cut -f1 | while read -r name; do
		sub_commands "$name" | grep . || echo "$name"
	done
}

sub_commands() {
	"$program" "$1" -h | sed -n "1s/^usage: dsv $1 \([a-z|]*|[a-z|]*\) .*/\1/p" |
		tr '|' '\n' | sed "s/^./$1 &/"
}

# Print what stands behind "dsv" in the forms of the usage, one per line.
usage_forms() {
	"$program" $1 -h | sed '/^$/,$d; s/^usage://; s/^ *dsv //'
}

page_forms() {
	mandoc -T ascii -O width=400 "$doc/dsv-$1.1" | sed 's|.\x08||g' |
		sed -n '/^SYNOPSIS/,/^DESCRIPTION/s/^ \{1,\}dsv //p'
}

@test "every command has a page" {
	local name

	while read -r name; do
		[ -e "$doc/dsv-$name.1" ] || { echo "no page: $name"; false; }
	done < <("$program" --list-commands | cut -f1)
}

@test "every page belongs to a command" {
	local page name

	for page in "$doc"/dsv-*.1; do
		name=${page##*/dsv-}
		"$program" --list-commands | cut -f1 | grep -qx "${name%.1}"
	done
}

@test "dsv(1) mentions every command" {
	local name

	while read -r name; do
		grep -q "Xr dsv-$name 1" "$doc/dsv.1" ||
			{ echo "not in dsv(1): $name"; false; }
	done < <("$program" --list-commands | cut -f1)
}

@test "the pages are clean under mandoc and groff" {
	local page

	command -v mandoc >/dev/null || skip "mandoc is not installed"
	for page in "$doc"/*.[157]; do
		run -0 mandoc -T lint -W warning "$page"
		assert "$output" ""
		command -v groff >/dev/null || continue
		run -0 groff -mdoc -ww -Tascii -z "$page"
		assert "$output" ""
	done
}

@test "the SYNOPSIS is the same as in -h" {
	local name

	command -v mandoc >/dev/null || skip "mandoc is not installed"
	while read -r name; do
		assert "$(page_forms "${name%% *}" |
			grep "^$name\( \|$\)")" "$(usage_forms "$name")" ||
			{ echo "in dsv-${name%% *}(1)"; false; }
	done < <(all_commands)
}

@test "the SYNOPSIS of dsv(1) is the same as in dsv help" {
	command -v mandoc >/dev/null || skip "mandoc is not installed"
	dsv help
	assert "${lines[0]}" "usage: dsv $(mandoc -T ascii "$doc/dsv.1" |
		sed 's|.\x08||g' | sed -n '/^SYNOPSIS/,/^DESC/s/^ *dsv //p')"
}

# Print the options in the source of the page: "-n --limit COUNT".
page_options() {
	sed -n 's/^\.It \(Fl .*\)/\1/p' "$1" | sed '
		s/Fl \([^ ]*\) , Fl -\(jsonl\)/--json\n--jsonl/
		s/Fl \([^ ]*\)/-\1/g; s/ Ns Op = Ns / /; s/ [,] / /g
		s/\(Ar\|Ns\|Cm\|Op\) //g'
}

@test "every option is in the page, and every option of the page exists" {
	local name group

	while read -r name; do
		diff <(page_options "$doc/dsv-$name.1" | sort -u) \
			<( (sub_commands "$name" | grep . || echo "$name") |
				while read -r group; do
					command_options "$group"
				done | sort -u) ||
			{ echo "in dsv-$name(1)"; false; }
	done < <("$program" --list-commands | cut -f1)
}

# Print the command's own options: those common to all are in dsv(1).
command_options() {
	"$program" $1 --list-options | tr '\t' '\037' |
	    while IFS=$'\037' read -r letter long value help; do
		case $long in
		--color | --lock-wait | --no-pager | --quiet | --verbose | --help) continue ;;
		--repo) [ "$help" = "the repository's file" ] || continue ;;
		esac
		[ "$letter" != -h ] || continue
		echo "${letter:+$letter }$long${value:+ $value}"
	done | sed 's/ $//'
}

@test "dsv-config(1) has every key of the configuration" {
	local key

	for key in $(grep -rhoE '"(color|core|prune|safe)\.[a-z]+"' \
	    "$BATS_TEST_DIRNAME"/../lib | tr -d '"' |
	    grep -v '\.h$' | sort -u); do
		grep -qi "^\.It Li $key$" "$doc/dsv-config.1" ||
			{ echo "not in dsv-config(1): $key"; false; }
	done
}

@test "the options of dsv itself are in dsv(1)" {
	diff <(page_options "$doc/dsv.1" | sort -u) \
		<("$program" --list-options | awk -F '\t' '
			{ t = $1 " " $2 " " $3; gsub(/  */, " ", t)
			  gsub(/^ | $/, "", t); print t }' | sort -u)
}

@test "help is no wider than 80 columns" {
	local name

	while read -r name; do
		run ! grep -E '.{81}' <("$program" $name -h)
	done < <(all_commands; echo help)
	run ! grep -E '.{81}' <("$program" help)
}
