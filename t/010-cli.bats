#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The program as such: options, exit codes, and what is printed where

load helper

@test "--version names the version and nothing else" {
	dsv --version
	[[ $output =~ ^dsv\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	assert "$stderr" ""
}

@test "without a command the usage is on stderr, exit 2" {
	dsv -2
	assert "$output" ""
	[[ $stderr == "usage: dsv "* ]]
}

@test "every command has -h, in 80 columns, on stdout" {
	local name

	while IFS=$'\t' read -r name _; do
		run -0 --separate-stderr "$program" "$name" -h
		[[ $output == "usage: dsv $name"* ]]
		assert "$stderr" ""
		run ! grep -E '.{81}' <<<"$output"
	done < <("$program" --list-commands)
}

@test "the commands of a group have -h" {
	dsv job exec -h
	[[ $output == "usage: dsv job exec --ticket TICKET"* ]]
	dsv scope add -h
	[[ $output == "usage: dsv scope add NAME REV..."* ]]
}

@test "an unknown command exits 2 and is named" {
	dsv -2 frobnicate
	assert "$stderr" "dsv: 'frobnicate' is not a command; see 'dsv help'"
	dsv -2 lgo
	assert "$stderr" "dsv: 'lgo' is not a command (did you mean 'log'?)"
	dsv -2 help lgo
	[[ $stderr == *"did you mean 'log'?"* ]]
	dsv -2 scope opne
	[[ $stderr == *"did you mean 'open'?"* ]]
}

@test "an unknown option exits 2 and is named" {
	dsv -2 log --frob
	assert "$stderr" "dsv log: unknown option '--frob'"
	dsv -2 log -Z
	assert "$stderr" "dsv log: unknown option '-Z'"
	dsv -2 log --onelin
	assert "$stderr" "dsv log: unknown option '--onelin' (did you mean \
'--oneline'?)"
}

@test "a missing or superfluous value exits 2" {
	dsv -2 log -n
	assert "$stderr" "dsv log: option '-n' needs a value"
	dsv -2 log --limit
	assert "$stderr" "dsv log: option '--limit' needs a value"
	dsv -2 log --oneline=1
	assert "$stderr" "dsv log: option '--oneline' takes no value"
	dsv -2 log -n many
	assert "$stderr" "dsv log: --limit: 'many' is not a number"
}

@test "a negative number of states or rank exits 2" {
	repo
	dsv -2 log -n -1
	assert "$stderr" "dsv log: -n: -1 is negative"
	dsv -2 find --limit=-5
	dsv -2 checkout HEAD x --rank -1
}

@test "warnings are on stderr, as JSON with --json" {
	repo
	mkdir d
	ln -s /etc d/l
	dsv tag d
	[[ $stderr == "dsv tag: warning: the link 'd/l' leads outside"* ]]
	dsv tag d --json
	output=$stderr json 'list(j)'
	assert "$result" "['warning']"
}

@test "options are taken as --opt=V, --opt V, -oV, bundled, after operands" {
	repo
	put f
	tag f -m one
	dsv log HEAD --limit=1 --oneline
	assert "${#lines[@]}" 1
	dsv log --limit 1 --oneline HEAD
	assert "${#lines[@]}" 1
	dsv log -n1 --oneline
	assert "${#lines[@]}" 1
	dsv log -qn1 --oneline
	assert "${#lines[@]}" 1
}

@test "-- ends the options" {
	repo
	put ./-x
	tag -- -x
	dsv cat HEAD:-x
	assert "$output" "$(cat ./-x)"
}

@test "without a repository the exit status is 10" {
	dsv -10 log
	[[ $stderr == "dsv log: "* ]]
	assert "$output" ""
}

@test "with --json errors are JSON on stderr" {
	dsv -10 log --json
	output=$stderr json 'j["error"]["code"], j["error"]["name"]'
	assert "$result" "(10, 'no-repository')"
	repo
	dsv -4 show --json nope
	assert "$output" ""
	output=$stderr json 'j["error"]["code"], j["error"]["name"]'
	assert "$result" "(4, 'not-found')"
	dsv -2 log --json --nope
	output=$stderr json 'j["error"]["message"]'
	assert "$result" "unknown option '--nope'"
}

@test "what can be done stands behind the message, and apart in JSON" {
	dsv -10 log
	assert "$stderr" "dsv log: no repository in '$PWD' or above\
 ('dsv init' makes one)"
	dsv -10 log --json
	output=$stderr json 'j["error"]["message"], j["error"]["hint"]'
	assert "$result" "(\"no repository in '$PWD' or above\",\
 \"'dsv init' makes one\")"
	repo
	dsv -14 prune --json
	output=$stderr json 'j["error"]["message"]'
	assert "$result" "no rule says what to keep"
	dsv -4 show --json nope
	output=$stderr json 'sorted(j["error"])'
	assert "$result" "['code', 'message', 'name']"
}

@test "a hint names its subject, an id by its first digits" {
	repo
	put f
	tag f
	dsv pin HEAD
	dsv -14 prune HEAD
	assert "$stderr" "dsv prune: 'HEAD' is pinned ('dsv unpin HEAD' first)"
	dsv unpin HEAD
	first=$id
	put f 99
	tag f
	dsv checkout "$first" out
	dsv -14 tag --json out
	output=$stderr json 'j["error"]["hint"]'
	assert "$result" "fork it with 'dsv fork ${first:0:12}', start a branch\
 with '--parent ${first:0:12} -b NEW', or insist with '--parent HEAD'"
}

@test "a full disk behind stdout is an error, exit 15" {
	run -15 bash -c '"$1" help >/dev/full' - "$program"
	assert "$output" "dsv help: write the output: No space left on device"
	repo
	put f
	tag f
	run -15 bash -c '"$1" log >/dev/full' - "$program"
}

@test "a closed stdout is an error, and no file takes its place" {
	repo
	put f
	run -5 bash -c '"$1" tag f -m one >&-' - "$program"
	assert "$output" "dsv tag: write the output: Bad file descriptor"
	run -5 bash -c '"$1" log --json >&- 2>&- <&-' - "$program"
	dsv log --format '%(message)'
	assert "$output" one
}

@test "a reader that leaves early is not an error" {
	local i

	repo
	put f
	for i in 1 2 3; do tag f -m "$i"; done
	run bash -c '"$1" log --jsonl | head -n1 | wc -l' - "$program"
	assert "$output" 1
}

@test "-C changes the directory first, more than once" {
	mkdir -p a/b
	dsv -C a -C b init
	[ -d a/b/.dsv ]
	dsv -5 -C nowhere init
	assert "$stderr" \
	    "dsv: change to directory 'nowhere': No such file or directory"
}

@test "--repo names the repository or what holds it, before or after" {
	local where

	repo r
	put f
	tag f
	cd ..
	for where in r r/.dsv; do
		dsv --repo "$where" rev-parse HEAD
		assert "$output" "$id"
		dsv rev-parse HEAD --repo="$where"
		assert "$output" "$id"
		DSV_REPO=$where dsv rev-parse HEAD
		assert "$output" "$id"
	done
}

@test "a program dsv-foo on PATH is 'dsv foo'" {
	mkdir bin
	printf '#!/bin/sh\necho "foo $* repo=$DSV_REPO"\nexit 3\n' >bin/dsv-foo
	chmod +x bin/dsv-foo
	PATH=$PWD/bin:$PATH dsv -3 --repo /r foo --json a
	assert "$output" "foo --json a repo=/r"
}

@test "control bytes of messages do not reach the terminal" {
	repo
	put f
	tag f -m $'red \e[31m\nsecond'
	dsv log
	[[ $output == *'red \x1b[31m'* ]]
	dsv log --oneline
	assert "${#lines[@]}" 1
	run ! grep -q $'\e' <<<"$output"
}

@test "-h of a command that opens the repository needs none" {
	dsv tag -h
	dsv log --list-options
	[[ $output == *$'-n\t--limit\tCOUNT\t'* ]]
}

@test "only one error is printed, and nothing on stdout" {
	repo
	dsv -4 log nope
	assert "$output" ""
	assert "$(wc -l <<<"$stderr")" 1
}

@test "somebody else's repository is refused until the user trusts it" {
	[ "$(id -u)" = 0 ] || without root "needs root"
	repo r
	chown nobody .dsv
	dsv -14 log
	[[ $stderr == *"belongs to another user (to trust it: dsv config --user safe.repository '$PWD/.dsv')" ]]
	dsv -14 config a.b c
	dsv config --user safe.repository "$PWD/.dsv"
	dsv log
}
