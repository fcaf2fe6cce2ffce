# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Make dsv stop at a call, with fault.so, to test what can happen to it there.
#
#   need_fault            fail if fault.so has not been built
#   may_stop              do the same; skip what a preloaded library cannot do
#   stopped CALL:GLOB [COMMAND...] -- ARG...
#                         stop what COMMAND runs before its first such call;
#                         it is process $stopped, $pid the one started here
#   go_on                 let it end; its status is in $status
#   end_stopped           end it; call this in teardown
# shellcheck disable=SC2034,SC2154

need_fault() {
	[ -e "$build/fault.so" ] && return
	echo "${build##*/}/fault.so is missing: make tests"
	return 1
}

may_stop() {
	need_fault || return
	run grep -c __asan_init "$program"
	[ "$output" = 0 ] || skip "a preloaded library comes before ASan"
}

stopped() {
	local match=$1 before=() i

	shift
	while [ "$1" != -- ]; do before+=("$1"); shift; done
	shift
	"${before[@]}" env LD_PRELOAD="$build/fault.so" DSV_FAULT_ROOT="$PWD" \
		DSV_FAULT_DO=stop DSV_FAULT_AT=1 DSV_FAULT_MATCH="$match" \
		"$program" "$@" >out 2>err 3>&- &
	pid=$!
	for ((i = 0; i < 500; i++)); do
		for stopped in $(pgrep -P "$pid") $pid; do
			pids+=" $stopped"
			[[ $(ps -o stat= -p "$stopped") != T* ]] || return 0
		done
		sleep 0.02
	done
	return 1
}

go_on() {
	kill -CONT "$stopped"
	status=0
	wait "$pid" || status=$?
}

end_stopped() {
	local pid

	for pid in ${pids:-}; do kill -KILL "$pid" 2>/dev/null || true; done
}
