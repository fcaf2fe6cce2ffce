#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# fork --sbatch, as far as it can be seen without Slurm: a program that
# stands for sbatch tells what it was given.

load helper

setup() {
	clean_environment
	mkdir -p "$BATS_TEST_TMPDIR/work/bin"
	cd "$BATS_TEST_TMPDIR/work" || return
	cat >bin/sbatch <<'EOF'
#!/bin/bash
if [ "$1" = --help ]; then
	[ -z "$FAKE_PLUGIN" ] || echo "      --dsv-ticket=T"
	exit 0
fi
printf '%s\n' "$@" >"$FAKE_ARGS"
[ -z "$FAKE_FAIL" ] || { echo "sbatch: error: no" >&2; exit "$FAKE_FAIL"; }
echo "123;cluster"
EOF
	cat >"my script.sh" <<'EOF'
#!/bin/bash
#SBATCH -N 2
# a comment
#SBATCH --comment="it's 100%"

#SBATCH --time=1
echo "script: $DSV_BRANCH $DSV_PARAM_LR <$1> <$2>"
#SBATCH --mem=1
exit "${STATUS:-0}"
EOF
	chmod +x bin/sbatch
	export PATH=$PWD/bin:$PATH FAKE_ARGS=$PWD/args
	repo
	put f
	tag f -p lr=0.1
}

@test "the wrapper carries the script's #SBATCH lines and arguments" {
	dsv fork HEAD -b b1 --sbatch -- -w n3 -vN1 --mem 3G --exclusive \
	    "my script.sh" a "b c"
	[[ $output =~ ^b1\ [0-9a-f]{64}\ 123$ ]]
	mapfile -t args <args
	assert "${args[*]:0:7}" "--parsable -w n3 -vN1 --mem 3G --exclusive"
	assert "${args[*]:8}" "a b c"
	head -6 "${args[7]}" >head
	assert "$(<head)" "#!/bin/sh
#SBATCH --job-name=my_script.sh
#SBATCH -N 2
# a comment
#SBATCH --comment=\"it's 100%\"
#SBATCH --time=1"
	run ! grep -- --mem=1 "${args[7]}"
}

@test "the job runs the script with the fork's environment" {
	dsv fork HEAD -b b1 --set lr=0.01 --sbatch -- "my script.sh" a "b c"
	mapfile -t args <args
	run env SLURM_JOB_ID=123 STATUS=7 sh "${args[1]}" a "b c"
	assert "$status" 7
	assert "$output" "script: b1 0.01 <a> <b c>"
	dsv job list --json
	json 'j[0]["id"], j[0]["exit"], j[0]["branch"], j[0]["attempt"]'
	assert "$result" "('123', 7, 'b1', 1)"
}

@test "what changes the script afterwards does not change the job" {
	dsv fork HEAD --sbatch -- "my script.sh"
	echo 'echo changed' >>"my script.sh"
	sed -i 's/script:/other:/' "my script.sh"
	mapfile -t args <args
	SLURM_JOB_ID=123 run -0 sh "${args[1]}" a b
	[[ $output == script:* ]]
}

@test "with the plugin the command line stays as it is" {
	local where=$PWD/.dsv

	FAKE_PLUGIN=1 dsv fork HEAD --after 77 --sbatch -- -w n3 "my script.sh"
	run cat args
	[[ ${lines[1]} =~ ^--dsv-ticket=[0-9a-f]{32}$ ]]
	assert "${lines[0]} ${lines[*]:2}" "--parsable --dsv-repo=$where \
--dependency=afterany:77 -w n3 my script.sh"
}

@test "--wrap needs no script" {
	dsv fork HEAD -b b1 --sbatch -- -N1 --wrap 'echo "<$DSV_BRANCH>"'
	mapfile -t args <args
	assert "${#args[@]}" 3
	SLURM_JOB_ID=123 run -0 sh "${args[2]}"
	assert "$output" "<b1>"
}

@test "a refused submission leaves no fork, and its status is ours" {
	FAKE_FAIL=3 dsv -3 fork HEAD -b b1 --sbatch -- "my script.sh"
	assert "$stderr" "sbatch: error: no"
	assert "$output" ""
	run -0 find .dsv/jobs -type f
	assert "$output" ""
	dsv branch
	assert "$output" "* main"
}

@test "no script, no value, no such file: exit 2 or 5, nothing submitted" {
	dsv -2 fork HEAD --sbatch -- -N1
	assert "$stderr" "dsv fork: --sbatch: no script after sbatch's options"
	dsv -2 fork HEAD --sbatch -- --mem
	dsv -2 fork HEAD --sbatch
	dsv -5 fork HEAD --sbatch -- nowhere.sh
	dsv -2 fork HEAD --after '1 --wrap=x' --sbatch -- "my script.sh"
	dsv -2 fork HEAD --sbatch -- f
	[ ! -e args ]
	dsv branch
	assert "$output" "* main"
}

@test "signals reach the script, its status comes back" {
	cat >trap.sh <<'EOF'
#!/bin/bash
trap 'echo usr1' USR1
trap 'echo term; exit 9' TERM
echo ready >"$1"
while :; do sleep 0.05; done
EOF
	dsv fork HEAD --sbatch -- trap.sh
	mapfile -t args <args
	mkfifo ready
	SLURM_JOB_ID=123 sh "${args[1]}" ready >out 3>&- &
	read -r _ <ready
	kill -USR1 $!
	sleep 0.3
	kill -TERM $!
	wait $! || assert $? 9
	assert "$(<out)" "usr1
term"
}
