#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# dsv fork

load helper

state() {
	repo
	put ckpt/w 2000000
	tag ckpt -p lr=1e-3 -p opt.name=adam -p seed=1 "$@"
}

@test "fork makes a branch with a fork state and prints both" {
	state
	dsv fork HEAD
	assert "${lines[0]}" "main-1 $("$program" rev-parse main-1)"
	dsv show main-1 --json
	json 'j["kind"], j["branch"], j["parents"] == ["'"$id"'"]'
	assert "$result" "('fork', 'main-1', True)"
	dsv branch
	assert "$output" $'* main\n  main-1'
	dsv rev-parse main
	assert "$output" "$id"
}

@test "a fork has its parent's content and parameters, not its attributes" {
	state -a acc=1 --name best -s scope --pin -m hello
	dsv fork best
	dsv show main --json
	json 'j["content"], j["params"], j["files"], j["size"]'
	parent=$result
	dsv show main-1 --json
	json 'j["content"], j["params"], j["files"], j["size"]'
	assert "$result" "$parent"
	json 'j["attrs"], j["name"], j["scopes"], j["pinned"], j["message"]'
	assert "$result" "({}, None, [], False, None)"
	dsv checkout main-1 out
	diff -r ckpt out/ckpt
}

@test "a fork copies no byte" {
	local before

	state
	before=$(find .dsv/segments -type f | sort | xargs sha256sum)
	dsv fork HEAD --set lr=1
	assert "$(find .dsv/segments -type f | sort | xargs sha256sum)" \
	    "$before"
}

@test "default names are <branch>-1, -2, ... and skip what is taken" {
	state
	dsv fork HEAD
	dsv fork HEAD
	assert "${output% *}" main-2
	dsv name main-3
	dsv fork HEAD
	assert "${output% *}" main-4
	dsv branch -d main-1
	dsv fork HEAD
	assert "${output% *}" main-1
	dsv fork main-2
	assert "${output% *}" main-2-1
}

@test "-b must be new, else exit 14" {
	state --name best
	dsv fork HEAD -b wide
	assert "${output% *}" wide
	dsv -14 fork HEAD -b wide
	assert "$stderr" "dsv fork: branch 'wide' already exists (choose\
 another with -b)"
	dsv -14 fork HEAD -b main
	dsv -14 fork HEAD -b best
	assert "$stderr" "dsv fork: 'best' is the name of a state"
	dsv switch -c empty
	dsv -14 fork main -b empty
	dsv -2 fork main -b 'a b'
	dsv -2 fork main -b a..b
	dsv find --count 'kind = "fork"'
	assert "$output" 1
}

@test "--set changes, --unset removes, +K is new" {
	state
	dsv fork HEAD -b b --set lr=0.01 --set +wd=0.1 --unset seed
	dsv params b
	assert "$output" $'lr=0.01\nopt.name=adam\nwd=0.1'
	dsv params main
	assert "$output" $'lr=1e-3\nopt.name=adam\nseed=1'
	dsv fork HEAD -b c --set 'opt.name:="x"' --set '+list:=[1, 2.50]'
	dsv params c list
	assert "$output" '[1,2.50]'
}

@test "--set of an unknown parameter exits 14 and shows the nearest" {
	state
	dsv -14 fork HEAD --set lrr=1
	assert "$stderr" "dsv fork: 'lrr' is not a parameter of the state; the\
 nearest is 'lr' ('+lrr=...' adds a new one)"
	dsv -14 fork HEAD --set zzzzzzzz=1
	assert "$stderr" "dsv fork: 'zzzzzzzz' is not a parameter of the state\
 ('+zzzzzzzz=...' adds a new one)"
	dsv -14 fork HEAD --unset sed
	assert "$stderr" \
	    "dsv fork: 'sed' is not a parameter of the state; the nearest is 'seed'"
	dsv branch
	assert "$output" "* main"
}

@test "--set without = or with a bad key exits 2" {
	state
	dsv -2 fork HEAD --set lr
	assert "$stderr" "dsv fork: 'lr' has no '=' (KEY=VALUE)"
	dsv -2 fork HEAD --set =1
	dsv -2 fork HEAD --set '+=1'
	dsv -2 fork HEAD --set '+l r=1'
	dsv -2 fork HEAD --set 'lr:=nope'
	assert "$stderr" "dsv fork: the value of 'lr' is not JSON: nope"
	dsv branch
	assert "$output" "* main"
}

@test "any parameter may be set when REV has none" {
	repo
	put f
	tag f
	dsv fork HEAD --set a=1 --set b=2
	dsv params main-1
	assert "$output" $'a=1\nb=2'
}

@test "-m and -s apply to the fork" {
	state
	dsv fork HEAD -m why -s sweep
	dsv show main-1 --json
	json 'j["message"], j["scopes"]'
	assert "$result" "('why', ['sweep'])"
	dsv -2 fork HEAD -s 'a b'
}

@test "REV is any revision; unknown exits 4, pruned exits 4" {
	state
	tag ckpt
	tag ckpt
	dsv fork HEAD~1 -b old
	dsv show old --json
	json 'j["parents"][0]'
	assert "$result" "$("$program" rev-parse main~1)"
	dsv -4 fork nope
	dsv -2 fork
	dsv -2 fork HEAD HEAD
	dsv branch -d old
	dsv prune HEAD~1
	dsv -4 fork HEAD~1
	[[ $stderr == *"was pruned at "* ]]
}

@test "--to also checks out, and a tag of it continues" {
	state
	dsv fork HEAD --to out
	diff -r ckpt out/ckpt
	tag out/ckpt -b main-1
	dsv -14 tag out/ckpt
	assert "${stderr%%,*}" \
	    "dsv tag: 'out/ckpt' was checked out from ${id:0:12}"
}

@test "--to over differing files exits 14 and makes no branch" {
	state
	put out/ckpt/w 5
	dsv -14 fork HEAD --to out
	dsv branch
	assert "$output" "* main"
	assert "$(stat -c %s out/ckpt/w)" 5
}

@test "-- COMMAND runs with the fork's environment" {
	state
	dsv fork HEAD --set lr=2 -b b -- env
	assert "$(grep -a ^b <<<"$stderr")" "b $("$program" rev-parse b)"
	grep -qx "DSV_REPO=$PWD/.dsv" <<<"$output"
	grep -qx "DSV_BRANCH=b" <<<"$output"
	grep -qx "DSV_STATE=$("$program" rev-parse b)" <<<"$output"
	grep -qx "DSV_PARENT=$id" <<<"$output"
	grep -qx "DSV_PARAM_LR=2" <<<"$output"
	grep -qx "DSV_PARAM_OPT_NAME=adam" <<<"$output"
	grep -qx "DSV_ATTEMPT=1" <<<"$output"
	run ! grep -q "^DSV_TICKET" <<<"$output"
}

@test "-- COMMAND without --to has its files in the repository" {
	state
	dsv fork HEAD -b b -- sh -c 'cmp "$DSV_CHECKOUT/ckpt/w" ckpt/w; pwd
		echo "$DSV_CHECKOUT"; echo 9 >"$DSV_CHECKOUT/ckpt/w"
		exec "$0" -q tag "$DSV_CHECKOUT/ckpt"' "$program"
	dir=${lines[1]}
	[[ $dir = "$PWD/.dsv/jobs/"* && -e $dir/ckpt/w ]]
	dsv cat b:ckpt/w
	assert "$output" 9
	dsv prune --expire=now --unsafe-allow-remove-all b b~1
	[ ! -e "$dir" ]
}

@test "-- COMMAND: DSV_PARAMS_FILE is JSON of the parameters" {
	state
	dsv fork HEAD -- sh -c 'cat "$DSV_PARAMS_FILE"'
	json 'j'
	assert "$result" "{'lr': 0.001, 'opt.name': 'adam', 'seed': 1}"
}

@test "-- COMMAND runs in DIR, which DSV_CHECKOUT names" {
	state
	dsv fork HEAD --to out -- sh -c 'pwd; echo "$DSV_CHECKOUT"; ls'
	assert "$output" "$PWD/out"$'\n'"$PWD/out"$'\n'ckpt
	dsv fork HEAD -- pwd
	assert "$output" "$PWD"
}

@test "-- COMMAND: its exit status is passed on, its input and output too" {
	state
	dsv -7 fork HEAD -- sh -c 'exit 7'
	dsv -143 fork HEAD -- sh -c 'kill -15 $$'
	run -0 bash -c 'echo hello | "$1" -q fork HEAD -- cat 2>/dev/null' - \
	    "$program"
	assert "$output" hello
	dsv -2 fork HEAD --
}

@test "-- COMMAND that does not exist exits 5 and keeps the branch" {
	state
	dsv -5 fork HEAD -- /nowhere/at/all
	[[ $stderr == *"/nowhere/at/all"*"No such file or directory"* ]]
	dsv rev-parse main-1
}

@test "in COMMAND, tag and params use the fork" {
	state
	dsv fork HEAD --set lr=9 -- sh -c '
		"$1" params --format lines
		"$1" tag ckpt -a acc=1 >/dev/null' - "$program"
	assert "$output" $'lr=9\nopt.name=adam\nseed=1'
	dsv find --branch main-1 --format '%(kind) %(attr:acc)'
	assert "$output" $'tag 1\nfork '
}

@test "in a job, what another job left in the environment does not matter" {
	state
	SLURM_JOB_ID=8 DSV_JOB_ID=7 DSV_BRANCH=x DSV_STATE=$id \
	    dsv fork "$id" -b b -- "$program" tag ckpt
	dsv find --branch b --count
	assert "$output" 2
}

@test "--json is an array of branch, id, job" {
	state
	dsv fork HEAD --json
	json 'sorted(j[0]), j[0]["branch"], j[0]["job"], len(j)'
	assert "$result" "(['branch', 'id', 'job'], 'main-1', None, 1)"
	dsv -14 fork HEAD --json --set x=1
	output=$stderr json 'j["error"]["name"]'
	assert "$result" refused
}

@test "simultaneous forks get branches of their own" {
	local i pids=()

	state
	for i in 1 2 3 4 5 6; do
		"$program" -q fork HEAD >/dev/null 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	dsv branch
	assert "${#lines[@]}" 7
}

@test "a fork of a fork shows what changed in each" {
	state
	dsv fork HEAD -b a --set lr=1
	dsv fork a -b b --set seed=2
	dsv params b
	assert "$output" $'lr=1\nopt.name=adam\nseed=2'
	dsv prev b
	assert "$output" "$("$program" rev-parse a)"
}
