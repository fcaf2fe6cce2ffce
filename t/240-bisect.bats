#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Finding the first bad state of a line

# shellcheck disable=SC2016,SC2030,SC2031,SC2154

load helper

# Make states 0 to $1 with the attribute n; their ids are in ${s[n]}.
line() {
	local n

	s=()
	for ((n = 0; n <= $1; n++)); do
		put f 10 "$n"
		tag f -a n="$n" -m "state $n"
		s[n]=$id
	done
}

# Print a command that calls states below $1 good.
judge() {
	printf 'test "$(dsv show --format "%%(attr:n)" "$DSV_STATE")" -lt %s' \
		"$1"
}

number() {
	dsv show --format '%(attr:n)' "$output"
	number=$output
}

@test "every place of the first bad state is found, in few steps" {
	local first

	repo
	line 12
	for first in 1 2 5 6 7 11 12; do
		dsv bisect start "${s[12]}" "${s[0]}"
		dsv bisect run sh -c "echo x >>n$first; $(judge $first)"
		assert "$output" "${s[first]}"
		[ "$(wc -l <"n$first")" -le 4 ]
		[[ $stderr == *"first bad state: ${s[first]:0:12} n=$first"* ]]
	done
}

@test "by hand: the middle, then the middle of what is left" {
	repo
	line 8
	dsv bisect start HEAD HEAD~8
	assert "$output" "${s[4]}"
	assert "${stderr_lines[0]}" "7 states left to test, 3 steps"
	assert "${stderr_lines[1]}" "next: ${s[4]:0:12} n=4 state 4"
	dsv bisect good
	assert "$output" "${s[6]}"
	dsv bisect bad
	assert "$output" "${s[5]}"
	assert "${stderr_lines[0]}" "1 state left to test, 1 step"
	dsv bisect bad --json
	json 'j["done"], j["next"], j["first_bad"] == j["bad"], j["left"]'
	assert "$result" "(True, None, True, 0)"
	json 'j["bad"] + j["good"]'
	assert "$result" "${s[5]}${s[4]}"
	dsv -2 bisect good
	assert "$stderr" "dsv bisect good: no state is left to test"
}

@test "log prints commands that repeat the search" {
	repo
	line 8
	dsv bisect start "${s[8]}" "${s[0]}"
	dsv bisect good
	dsv bisect skip
	dsv bisect bad "${s[7]}"
	dsv bisect log
	assert "$output" "dsv bisect start ${s[8]} ${s[0]}
dsv bisect good ${s[4]}
dsv bisect skip ${s[6]}
dsv bisect bad ${s[7]}"
	echo "$output" >again
	dsv bisect reset
	dsv -2 bisect log
	sh -e again
	dsv bisect log
	assert "$output" "$(cat again)"
}

@test "neighbours need no test" {
	repo
	line 1
	dsv bisect start "${s[1]}" "${s[0]}"
	assert "$output" "${s[1]}"
	assert "$stderr" "first bad state: ${s[1]:0:12} n=1 state 1"
}

@test "skipped states: found if they are not in the way, else exit 3" {
	repo
	line 8
	dsv bisect start "${s[8]}" "${s[0]}"
	dsv bisect skip
	number
	[ "$number" != 4 ]
	dsv bisect run sh -c "$(judge 7)"
	assert "$output" "${s[7]}"
	dsv bisect start "${s[8]}" "${s[0]}"
	dsv bisect skip "${s[4]}" "${s[3]}"
	dsv -3 bisect run sh -c "$(judge 4)"
	assert "$output" "${s[3]}
${s[4]}
${s[5]}"
	assert "${stderr_lines[-1]}" "dsv bisect run: the first bad state is\
 one of these: all but the last were skipped"
	dsv -3 bisect run true --json
	assert "${lines[2]}" "${s[5]}"
}

@test "run: 125 skips" {
	repo
	line 4
	dsv bisect start "${s[4]}" "${s[0]}"
	dsv -3 bisect run sh -c 'exit 125'
	assert "$output" "${s[1]}
${s[2]}
${s[3]}
${s[4]}"
	dsv bisect log
	assert "${#lines[@]}" 4
}

@test "run: 128 and more, and signals, stop; the state is not marked" {
	repo
	line 4
	dsv bisect start "${s[4]}" "${s[0]}"
	dsv -5 bisect run sh -c 'exit 128'
	[[ $stderr == *"status 128 at state ${s[2]:0:12}, which was not marked"* ]]
	dsv -5 bisect run sh -c 'kill -KILL $$'
	[[ $stderr == *"status 137"* ]]
	dsv bisect log
	assert "${#lines[@]}" 1
	dsv bisect run false
	assert "$output" "${s[1]}"
}

@test "run: a command that cannot be run stops at once" {
	repo
	line 4
	dsv bisect start "${s[4]}" "${s[0]}"
	dsv -5 bisect run ./nothing
	assert "$stderr" \
		"dsv bisect run: run './nothing': No such file or directory"
	dsv -5 bisect run sh -c ./nothing
	[[ $stderr == *"also ends with status 127 at the good state ${s[0]:0:12}"* ]]
	dsv bisect log
	assert "${#lines[@]}" 1
	dsv bisect run sh -c "$(judge 2) || exit 127"
	assert "$output" "${s[2]}"
}

@test "run: the command's output is on stderr, its environment is set" {
	repo
	line 2
	export DSV_BRANCH=main DSV_PARAM_OLD=1
	dsv bisect start "${s[2]}" "${s[0]}"
	dsv bisect run sh -c 'echo "$DSV_STATE $DSV_REPO $DSV_BRANCH"'
	assert "$output" "${s[2]}"
	[[ $stderr == *"${s[1]} $PWD/.dsv main"* ]]
}

@test "run: -n after the command belongs to the command" {
	repo
	line 2
	dsv bisect start "${s[2]}" "${s[0]}"
	dsv bisect run test -n x
	assert "$output" "${s[2]}"
}

@test "pruned states are skipped, and reported" {
	repo
	line 8
	dsv bisect start "${s[8]}" "${s[0]}"
	assert "$output" "${s[4]}"
	dsv prune "${s[4]}" "${s[5]}" --expire=now
	dsv bisect run sh -c "$(judge 5)"
	assert "$output" "${s[6]}"
	[[ $stderr == *"2 states between it and the last good state are pruned"* ]]
}

@test "a contradiction is refused and not recorded" {
	repo
	line 8
	dsv bisect start "${s[8]}" "${s[0]}"
	dsv bisect bad
	dsv -2 bisect good "${s[6]}"
	assert "$stderr" "dsv bisect good: state ${s[6]:0:12} is 'good':\
 a state at or before it is known to be bad (see 'dsv bisect log')"
	dsv bisect good "${s[2]}"
	dsv -2 bisect bad "${s[1]}"
	[[ $stderr == *"known to be good"* ]]
	dsv bisect log
	assert "${#lines[@]}" 3
}

@test "start: good has to be an ancestor on the line" {
	repo
	line 3
	dsv -2 bisect start "${s[0]}" "${s[3]}"
	[[ $stderr == *"it is the newer one" ]]
	dsv -2 bisect start "${s[1]}" "${s[1]}"
	[[ $stderr == *"it is the newer one" || $stderr == *"good and bad" ]]
	dsv fork "${s[1]}" -b other
	dsv -2 bisect start other "${s[2]}"
	[[ $stderr == *"not on the line"* ]]
	dsv -4 bisect start nothing "${s[0]}"
	dsv -4 bisect start "${s[3]}" "${s[0]}" --along nothing
	dsv -2 bisect good
	assert "$stderr" "dsv bisect good: no search is under way\
 ('dsv bisect start BAD GOOD' begins one)"
}

@test "--along follows a branch where states have several parents" {
	local first

	repo
	line 2
	dsv fork "${s[0]}" -b side
	put f 10 side
	tag f -b side -a n=10
	first=$id
	tag f -b main --parent HEAD --parent "$first" -a n=20
	dsv bisect start main "${s[0]}"
	dsv bisect run false
	assert "$output" "${s[1]}"
	dsv bisect start main "$first" --along side
	assert "$output" "$id"
	dsv -2 bisect start main "$first"
	[[ $stderr == *"(see --along)" ]]
	dsv bisect start main "${s[2]}" --along main
	dsv bisect log
	assert "$output" "dsv bisect start $id ${s[2]} --along main"
}

@test "a damaged search exits 13, and reset forgets it" {
	repo
	line 3
	dsv bisect start "${s[3]}" "${s[0]}"
	for text in rubbish "start 12 34" "start ${s[3]}" "good ${s[1]}" ""; do
		echo "$text" >".dsv/heads/$UID.bisect"
		dsv -13 bisect good
		[[ $stderr == *"'dsv bisect reset' forgets it"* ]]
	done
	dsv bisect reset
	dsv bisect reset
	[ ! -e ".dsv/heads/$UID.bisect" ]
}

@test "the sample finds the epoch in which a real model broke" {
	/usr/bin/python3 -c 'import torch, sklearn' 2>/dev/null ||
		without torch "no torch or no sklearn"
	local examples=$BATS_TEST_DIRNAME/../share/examples broken n

	repo
	PATH=/usr/bin:$PATH PYTHONDONTWRITEBYTECODE=1
	export PYTHONDONTWRITEBYTECODE
	/usr/bin/python3 "$examples/train.py" ckpt
	# From here on the weights are useless.
	for n in 5 6 7; do
		/usr/bin/python3 - <<-'EOF'
		import torch
		state = torch.load("ckpt/model.pt")
		for w in state["model"].values():
		    w.zero_()
		state["epoch"] += 1
		torch.save(state, "ckpt/model.pt")
		EOF
		tag ckpt -m "epoch $n"
		broken=${broken:-$id}
	done
	dsv bisect start HEAD HEAD~6
	dsv bisect run "$examples/bisect.sh" 0.8
	assert "$output" "$broken"
	[[ $stderr == *"accuracy 0."* ]]
}
