#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the texts of values mean: "Values" of the contract

load helper

# Lines of TEXT TYPE [TEXT AS SHOWN], with the type that JSON has.
check() {
	local text type shown args=() n=0

	repo
	put f
	while IFS='|' read -r text type shown; do
		args+=(-p "k$n=$text")
		n=$((n + 1))
	done <table
	tag f "${args[@]}"
	n=0
	while IFS='|' read -r text type shown; do
		dsv params HEAD "k$n"
		assert "$text: $output" "$text: ${shown:-$text}"
		dsv params HEAD "k$n" --json
		json 'type(j).__name__'
		assert "$text: $result" "$text: $type"
		n=$((n + 1))
	done <table
}

@test "finite decimals are numbers that keep their text" {
	cat >table <<'EOF'
1|int
0|int
-1|int
10|int
1.0|float
1.50|float
0.1|float
-0.0|float
1e-3|float
1E5|float
2.5e+10|float
12345678901234567890123|int
0e0|float
EOF
	check
	dsv params --format json
	[[ $output =~ '"k5":'\ ?1.50 ]] && [[ $output =~ '"k8":'\ ?1e-3 ]]
}

@test "numbers that JSON would write differently are numbers in JSON" {
	printf '%s\n' '.5|float' '5.|int' '+1|int' '-.5|float' '+.5e1|float' \
	    '5.e3|float' >table
	check
	dsv find --count 'param.k0 = 0.5 and param.k1 = 5 and param.k2 = 1'
	assert "$output" 1
}

@test "anything but a finite decimal is a string" {
	printf '%s|str\n' 007 00 01.5 1e999 -1e999 0x10 1_000 1,5 1e 1e+ . e5 + - \
	    ' 1' '1 ' 1f --1 1.2.3 TRUE yes null None Infinity infinit ١ >table
	check
}

@test "nan and inf are the strings nan, inf, -inf" {
	printf '%s\n' 'nan|str' 'NaN|str|nan' 'NAN|str|nan' 'inf|str' \
	    'Inf|str|inf' 'INF|str|inf' '-inf|str' '-Inf|str|-inf' >table
	check
	dsv find --count 'param.k0 < 1 or param.k0 >= 1 or param.k3 > 0'
	assert "$output" 0
	dsv find --count 'param.k1 = "nan" and param.k7 = "-inf"'
	assert "$output" 1
}

@test "true, false, True, False are booleans" {
	printf '%s\n' 'true|bool' 'True|bool|true' 'false|bool' \
	    'False|bool|false' >table
	check
	dsv find --count 'param.k1 = true and param.k3 = false'
	assert "$output" 1
}

@test "K:=JSON forces any JSON value" {
	repo
	put f
	tag f -p 's:="1"' -p 't:="true"' -p 'n:=null' -p 'l:=[1, "a"]' \
	    -p 'o:={"b": 1e-3, "a": [true]}' -p 'i:=1e3' -p 'u:="\u00e9"'
	dsv params
	assert "$output" 'i=1e3
l=[1,"a"]
n=null
o={"b":1e-3,"a":[true]}
s=1
t=true
u=é'
	dsv params --json
	json 'j["s"], j["t"], j["n"], j["o"], j["i"]'
	assert "$result" \
"('1', 'true', None, {'b': 0.001, 'a': [True]}, 1000.0)"
	dsv find --count 'param.s = "1" and not param.s = 1 and param.n is set'
	assert "$output" 1
}

@test "K:= of something that is not JSON exits 2" {
	local text

	repo
	put f
	for text in x '{' '[1' '1}' '1,"":2' "'a'" '"a' '1 2' NaN1 01; do
		dsv -2 tag f -p "k:=$text"
		assert "$stderr" \
		    "dsv tag: the value of 'k' is not JSON: $text"
	done
	dsv -4 rev-parse HEAD
}

@test "keys have 1 to 128 characters of a certain set" {
	local key long

	repo
	put f
	long=$(printf 'k%.0s' {1..128})
	tag f -p "$long=1" -p _=1 -p 'a/b.c-d_E9=1'
	dsv params HEAD "$long"
	for key in "k$long" 1a .a -a 'a b' 'é' 'a+' ''; do
		dsv -2 tag f -p "$key=1"
		[[ $stderr == "dsv tag: '$key' is not a valid key "* ]]
	done
}

@test "1 and 1.0 and 1e0 are equal, and not a change" {
	repo
	put f
	tag f -p a=1
	tag f -p a=1.0
	dsv find --count 'param.a = 1e0'
	assert "$output" 2
	dsv log -n 1 --json
	json 'j[0]["params"]["a"], "1.0" in """'"$output"'"""'
	assert "$result" "(1.0, True)"
}

@test "durations: 90s 15m 12h 7d 4w; else exit 2" {
	local text

	repo
	for text in 90s 15m 12h 7d 4w 0s 0; do
		dsv log --lock-wait "$text" -h
		dsv config prune.grace "$text"
		DSV_LOCK_WAIT=$text dsv branch
	done
	for text in x 7y -1d 1.5.h '' 99999999999999w 5 0x5d; do
		dsv -2 branch --lock-wait "$text"
		dsv -2 prune --keep-within "$text"
	done
	DSV_LOCK_WAIT=soon dsv -2 branch
}

@test "times: RFC 3339, dates, local times, -7d; else exit 2" {
	local text

	repo
	put f
	tag f
	for text in 2020-01-31 '2020-01-31 14:00' 2020-01-31T14:00:00Z \
	    2020-01-31T14:00:00.5+01:00 -7d; do
		dsv log --since "$text" --oneline
		assert "${#lines[@]}" 1
		dsv log --until "$text" --oneline
		assert "$output" ""
	done
	for text in yesterday 2020-13-01 2020-02-30 2020-01-31T25:00:00Z '' 5; do
		dsv -2 log --since "$text"
	done
}
