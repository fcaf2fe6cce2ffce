#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Completion, as the shells ask for it

# shellcheck disable=SC2016,SC2154

load helper

completions=${BATS_TEST_DIRNAME}/../completions

setup() {
	clean_environment
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	"$program" -q init
	put file
	"$program" -q tag -m one -p lr=0.1 -p bs=32 -a acc=0.5 file >/dev/null
	"$program" -q name best
	"$program" -q branch wide
	"$program" -q scope open search
}

# Print what bash offers for the line, in one line.
bash_offers() {
	bash --norc -c '
		. "$1"
		COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDS=(dsv) COMP_CWORD=1
		_dsv
		echo "${COMPREPLY[*]}"' - "$completions/dsv.bash" "$1"
}

bash_is() {
	assert "$(bash_offers "$1")" "$2"
}

zsh_is() {
	assert "$(timeout 60 zsh -f "$BATS_TEST_DIRNAME/complete.zsh" \
		"$completions/dsv.zsh" "$1" | paste -sd' ')" "$2"
}

fish_is() {
	assert "$(fish -c 'source $argv[1]; complete -C $argv[2]' \
		"$completions/dsv.fish" "$1" | cut -f1 | sort | paste -sd' ')" "$2"
}

need() {
	command -v "$1" >/dev/null || without "$1" "$1 is not installed"
}

@test "bash: commands and options are those of the program" {
	local name

	assert "$(bash_offers "dsv " | tr ' ' '\n')" \
		"$("$program" --list-commands | cut -f1)"
	while read -r name; do
		bash_is "dsv $name --hel" --help
	done < <("$program" --list-commands | cut -f1)
	bash_is "dsv log --on" --oneline
	bash_is "dsv scope " "list open close add rm"
	bash_is "dsv job sync --js" "--json --jsonl"
}

@test "bash: revisions" {
	bash_is "dsv log " "HEAD main wide best"
	bash_is "dsv checkout bes" best
	bash_is "dsv show max:" acc
	bash_is "dsv show max:acc@w" acc@wide
	id=$("$program" rev-parse HEAD)
	bash_is "dsv show ${id:0:6}" "${id:0:12}"
	bash_is "dsv cat best:" file
	bash_is "dsv fork bes" best
	bash_is "dsv log --branch w" wide
}

@test "bash: names, scopes, keys" {
	bash_is "dsv name " best
	bash_is "dsv switch w" wide
	bash_is "dsv scope close " search
	bash_is "dsv scope add search bes" best
	bash_is "dsv find --scope=" search
	bash_is "dsv fork best --set " "bs= lr="
	bash_is "dsv fork best --set=l" lr=
	bash_is "dsv tag -a " acc=
	bash_is "dsv params HEAD " "bs lr"
	bash_is "dsv find --sort " "acc bs lr"
}

@test "bash: values of options" {
	bash_is "dsv checkout --link " "auto reflink copy"
	bash_is "dsv du --by=a" author
	bash_is "dsv params --format h" hydra
	bash_is "dsv prune --keep-best " "max:acc: min:acc:"
	bash_is "dsv prune --expire " now
	bash_is "dsv log --color " "auto always never"
	bash_is "dsv fork --parts=" "all mine"
}

@test "bash: files and directories" {
	mkdir dir
	bash_is "dsv tag fi" file
	bash_is "dsv checkout HEAD d" dir
}

@test "bash: candidates are from the repository that the line names" {
	mkdir other
	"$program" -q init other
	bash_is "dsv --repo other show bes" ""
	bash_is "dsv -C other show bes" ""
}

@test "bash: nothing, and silence, without a repository" {
	rm -rf .dsv
	run -0 --separate-stderr bash_offers "dsv show bes"
	assert "$output$stderr" ""
	bash_is "dsv sho" show
}

@test "zsh: commands, options, revisions, keys" {
	need zsh
	zsh_is "dsv sho" show
	zsh_is "dsv log --on" --oneline
	zsh_is "dsv log " "HEAD best main wide"
	zsh_is "dsv fork best --set " "bs lr"
	zsh_is "dsv checkout max:" acc
	zsh_is "dsv cat best:" file
	zsh_is "dsv log --color " "always auto never"
}

@test "fish: commands, options, revisions, keys" {
	need fish
	fish_is "dsv sho" show
	fish_is "dsv log --on" --oneline
	fish_is "dsv log " "HEAD best main wide"
	fish_is "dsv fork best --set " "bs= lr="
	fish_is "dsv checkout max:" max:acc
	fish_is "dsv cat best:" best:file
	fish_is "dsv log --color " "always auto never"
	fish_is "dsv find --sort a" acc
}
