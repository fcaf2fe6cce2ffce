#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What doc/hacking.md asks of the code, as far as a script can check it
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/.." || return
	mapfile -t sources < <(find lib cli spank t -name '*.[ch]' | sort)
	objects=${DSV_BUILD:-build}
}

@test "no line is wider than 80 columns, tabs being 8" {
	run ! grep -nE '^.{81}' <(expand "${sources[@]}")
}

@test "no file of the program is longer than 500 lines" {
	run ! grep -vE ' total$|^ *([0-9]|[1-9][0-9]|[1-4][0-9][0-9]|500) ' \
		<(find lib cli spank -name '*.c' -exec wc -l {} +)
}

@test "no function is longer than 60 lines" {
	long=$(awk 'FNR == 1 { start = 0 }
		/^\{/ { start = FNR }
		/^\}/ && start {
			if (FNR - start > 61)
				print FILENAME ":" start ": " FNR - start
			start = 0
		}' $(find lib cli spank -name '*.c'))
	[ -z "$long" ] || { echo "$long"; false; }
}

@test "no typedef of a struct, no // comment, no strcpy into a guess" {
	run ! grep -nE '^typedef struct' "${sources[@]}"
	run ! grep -nE '^[^"]*[[:space:]]//' "${sources[@]}"
	run ! grep -nE '[^_[:alnum:]](strcat|gets|strtok|asctime)\(' \
		"${sources[@]}"
}

@test "no line ends in a blank, no two empty lines follow each other" {
	mapfile -t texts < <(find t share -name '*.bats' -o -name '*.bash' \
		-o -name '*.sh' -o -name '*.py')
	run ! grep -nE '[[:blank:]]$' "${sources[@]}" "${texts[@]}"
	run ! awk 'FNR > 1 && /^$/ && last == "" {
			print FILENAME ":" FNR
			found = 1
		}
		{ last = $0 }
		END { exit !found }' "${sources[@]}"
}

@test "an int64_t is printed by PRId64, without a cast" {
	run ! grep -nE '%[-+ 0-9.*]*ll[dux]' "${sources[@]}"
}

@test "every source states its licence" {
	for file in "${sources[@]}" t/*.bats t/*.bash t/*.sh; do
		head -n 4 "$file" | grep -q 'SPDX-License-Identifier: MIT' ||
			{ echo "$file"; false; }
	done
}

@test "libdsv neither prints nor exits" {
	run ! grep -wE 'printf|puts|putchar|fprintf|perror|exit|_exit|abort|stdout|stderr' \
		<(nm -u "$objects/libdsv.a" | sort -u)
}

@test "libdsv changes nothing about the process" {
	run ! grep -wE 'chdir|umask|signal|sigaction|setenv|putenv|unsetenv|setlocale' \
		<(nm -u "$objects/libdsv.a" | sort -u)
}

@test "libdsv keeps no globals" {
	[ "${objects##*/}" = build ] || skip "a sanitizer adds its own"
	run ! grep -E ' [bBC] ' <(nm "$objects/libdsv.a")
}

@test "dsv_sizeof() knows every struct of dsv.h, and options their size" {
	diff <(sed -nE 's/^struct (dsv_[a-z_]+) \{$/\1/p' lib/dsv.h | LC_ALL=C sort) \
		<(sed -nE 's/^\tSIZE_OF\((.*)\),$/\1/p' lib/base/options.c)
	run ! grep -vP '^\tsize_t size_bytes;' \
		<(grep -hA1 -E '^struct dsv_([a-z_]*options|job_request) \{$' \
			lib/dsv.h | grep -vE '^struct|^--')
}

# The log of a bisect is a file that says how the search was started.
@test "no message of libdsv speaks of options or commands of the program" {
	run -0 python3 - doc/dsv-*.1 lib/*/*.[ch] <<-'END'
		import re, sys
		pages = [a for a in sys.argv[1:] if a.startswith("doc/")]
		commands = "|".join(re.sub(r".*/dsv-|[.]1$", "", p) for p in pages)
		bad = re.compile(r"""(^|[\s('"])--[a-z]|[\s('"]-[a-zA-Z]\b"""
				 r"""|^-[a-zA-Z]\b.|'dsv |\bdsv (%s)\b""" % commands)
		allowed = {("lib/lineage/bisect.c", " --along %s")}
		token = re.compile(r"""/[*].*?[*]/|'(?:\\.|[^'\\])'"""
				   r"""|((?:"(?:\\.|[^"\\])*"\s*)+)""", re.S)
		for name in sys.argv[1 + len(pages):]:
		    for m in token.finditer(open(name).read()):
		        text = re.sub(r'"\s*"', "", m[1] or "").strip()[1:-1]
		        if bad.search(text) and (name, text) not in allowed:
		            print(name + ": " + text)
	END
	[ -z "$output" ] || { echo "$output"; false; }
}

@test "every hint is given by libdsv and has words in the program" {
	hints=$(sed -nE 's/^\t(DSV_HINT_[A-Z_]+)\>.*/\1/p' lib/dsv.h)
	[ -n "$hints" ]
	for hint in $hints; do
		grep -q "\[$hint\] = \"" cli/hint.c || { echo "$hint"; false; }
		grep -qrw "$hint" lib/*/ || { echo "$hint"; false; }
	done
}

@test "the program is written on dsv.h alone" {
	run ! grep -nE '#include "\.\./' <(grep -v '"\.\./lib/dsv\.h"' cli/*.[ch])
}

@test "make help names every target, in 80 columns" {
	run -0 make -s help
	run ! grep -E '^.{81}' <<<"$output"
	run -0 make -s help
	for target in $(sed -n '/^\.PHONY:/,/[^\\]$/p' Makefile | tr -d '\\'); do
		[ "$target" = .PHONY: ] ||
			grep -qE "^make $target +[^ ]" <<<"$output" ||
			{ echo "$target"; false; }
	done
}
