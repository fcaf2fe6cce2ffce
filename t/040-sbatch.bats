#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# fork --sbatch, as far as it can be tested without Slurm: a program that
# stands in for sbatch prints its arguments.

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
for arg; do
	[ ! -f "$arg" ] || { name=${arg##*/}; cp "$arg" "$FAKE_ARGS.spool"; }
done
printf '%s\n' "${@/*"/$name"/$name}" >"$FAKE_ARGS"
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
	assert "${args[*]:7}" "my script.sh a b c"
	head -5 args.spool >head
	assert "$(<head)" "#!/bin/sh
#SBATCH -N 2
# a comment
#SBATCH --comment=\"it's 100%\"
#SBATCH --time=1"
	sed '/^# the script of /,$d' args.spool >head
	run ! grep -- --mem=1 head
	sed '1,/^# the script of /d' args.spool | cmp - "my script.sh"
}

@test "the job runs the script with the fork's environment" {
	dsv fork HEAD -b b1 --set lr=0.01 --sbatch -- "my script.sh" a "b c"
	run env SLURM_JOB_ID=123 STATUS=7 sh args.spool a "b c"
	assert "$status" 7
	assert "$output" "script: b1 0.01 <a> <b c>"
	dsv job list --json
	json 'j[0]["id"], j[0]["exit"], j[0]["branch"], j[0]["attempt"]'
	assert "$result" "('123', 7, 'b1', 1)"
}

@test "the script is in what Slurm spools: nobody changes it afterwards" {
	mkdir tmp
	TMPDIR=$PWD/tmp dsv fork HEAD --sbatch -- "my script.sh"
	rm "my script.sh"
	assert "$(find tmp .dsv/jobs -mindepth 1)" ""
	SLURM_JOB_ID=123 run -0 sh args.spool a b
	[[ $output == script:* ]]
}

@test "no name or value becomes a command of a shell or an option of sbatch" {
	local evil='`touch c1`$(touch c2)'"';touch c3;'"'"--wrap="touch c4"'

	mkdir "$evil"
	cp "my script.sh" "$evil/$evil.sh"
	dsv init "$evil"
	dsv --repo "$evil" tag f -p lr=1
	dsv --repo "$evil" config core.localTier "/tmp/$evil"
	dsv --repo "$evil" fork HEAD -b b1 --set "+v=$evil" -m "$evil" \
		--to "$PWD/$evil/to" --sbatch -- "$evil/$evil.sh" "$evil"
	mapfile -t args <args
	assert "${#args[@]} ${args[*]}" "3 --parsable $evil.sh $evil"
	sed -i 's/echo .*/echo "$DSV_PARAM_V" "$1"/' args.spool
	SLURM_JOB_ID=123 run -0 sh args.spool "$evil"
	assert "$output" "$evil $evil"
	cmp f "$evil/to/f"
	run ! ls c1 c2 c3 c4
}

@test "a wrapper of another ticket is refused, a bad interpreter reported" {
	dsv -2 job exec --ticket=77 --script=f --
	assert "$stderr" "dsv job exec: 'f' is not the wrapper of ticket 77"
	printf '#!/no/such\n' >bad
	dsv fork HEAD --sbatch -- bad
	SLURM_JOB_ID=123 run -5 sh args.spool
	assert "$output" \
		"dsv job exec: run 'the job's script': No such file or directory"
}

@test "with the plugin the command line stays unchanged" {
	local where=$PWD/.dsv

	FAKE_PLUGIN=1 dsv fork HEAD --after 77 --sbatch -- -w n3 "my script.sh"
	run cat args
	[[ ${lines[1]} =~ ^--dsv-ticket=[0-9a-f]{32}$ ]]
	assert "${lines[0]} ${lines[*]:2}" "--parsable --dsv-repo=$where \
--dependency=afterany:77 -w n3 my script.sh"
}

# Print the cluster that the newest record names.
sent_to() {
	local want=$1
	shift

	dsv fork HEAD --sbatch -- "$@" job
	dsv job list --json
	json "j[0]['cluster']"
	assert "$result" "$want"
}

@test "the record names the cluster that the job is sent to" {
	printf '#!/bin/sh\ntrue\n' >job
	sent_to None
	sent_to one -M one
	sent_to one -Mone
	sent_to one --clusters=one
	sent_to one --cluster one
	sent_to None -M one,two
	SLURM_CLUSTERS=two sent_to one -M one
	SLURM_CLUSTERS=two SBATCH_CLUSTERS=one sent_to two
	printf '#!/bin/sh\n#SBATCH -J "-M no" -M "three" # -M x\ntrue\n' >job
	sent_to three
	SBATCH_CLUSTERS=one sent_to one
}

@test "--wrap needs no script" {
	dsv fork HEAD -b b1 --sbatch -- -N1 --wrap 'echo "<$DSV_BRANCH>"'
	mapfile -t args <args
	assert "${args[*]}" "--parsable -N1 wrap"
	SLURM_JOB_ID=123 run -0 sh args.spool
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

@test "signals reach the script, and its status is returned" {
	cat >trap.sh <<'EOF'
#!/bin/bash
trap 'echo usr1' USR1
trap 'echo term; exit 9' TERM
echo ready >"$1"
while :; do sleep 0.05; done
EOF
	dsv fork HEAD --sbatch -- trap.sh
	mkfifo ready
	SLURM_JOB_ID=123 sh args.spool ready >out 3>&- &
	read -r _ <ready
	kill -USR1 $!
	sleep 0.3
	kill -TERM $!
	wait $! || assert $? 9
	assert "$(<out)" "usr1
term"
}
