#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What make install installs where, and that it works from there

# shellcheck disable=SC2154

load helper

top=${BATS_TEST_DIRNAME}/..

setup_file() {
	export DEST=$BATS_FILE_TMPDIR/dest

	make -s -C "$BATS_TEST_DIRNAME/.." install DESTDIR="$DEST" PREFIX=/opt/dsv
}

setup() {
	clean_environment
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	prefix=$DEST/opt/dsv
	export PKG_CONFIG_PATH=$prefix/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$DEST
}

# The test programs lack what an instrumented library needs.
not_instrumented() {
	if nm "$prefix/lib/libdsv.a" 2>/dev/null | grep -qE '__(asan|ubsan|tsan)_'
	then
		skip "libdsv is instrumented"
	fi
}

@test "the program runs from where it was installed" {
	assert "$("$prefix/bin/dsv" --version)" "$("$program" --version)"
}

@test "every page, completion and example is installed" {
	local file

	for file in "$top"/doc/*.[157]; do
		[ -e "$prefix/share/man/man${file##*.}/${file##*/}" ]
	done
	[ -e "$prefix/share/bash-completion/completions/dsv" ]
	[ -e "$prefix/share/zsh/site-functions/_dsv" ]
	[ -e "$prefix/share/fish/vendor_completions.d/dsv.fish" ]
	for file in README.md LICENSE CONTRIBUTING.md SECURITY.md NEWS.md \
	    design.md hacking.md \
	    examples/train.py examples/plugstack.conf; do
		[ -e "$prefix/share/doc/dsv/$file" ]
	done
	grep -qx 'optional spank_dsv.so dsv=/opt/dsv/bin/dsv' \
		"$prefix/share/doc/dsv/examples/plugstack.conf"
}

@test "dsv help finds the installed page" {
	command -v man >/dev/null || skip "man is not installed"
	MANPATH=$prefix/share/man MANPAGER=cat run -0 "$prefix/bin/dsv" help tag
	[[ $output == *"capture files and directories"* ]]
}

@test "a C program builds with pkg-config, and runs" {
	local flags

	not_instrumented
	"$program" -q init
	put file
	tag -m "from C" file
	cat >try.c <<-'END'
	#include <dsv.h>
	#include <stdio.h>

	int main(void)
	{
		struct dsv_err err;
		struct dsv_state *s;
		struct dsv *d;

		if (dsv_open(NULL, &d, &err) < 0 ||
		    dsv_state_get(d, "HEAD", &s, &err) < 0)
			return puts(err.msg), 1;
		puts(s->message);
		dsv_state_free(s);
		dsv_close(d);
		return 0;
	}
	END
	flags=$(pkg-config --cflags --libs libdsv)
	# shellcheck disable=SC2086
	cc -Wall -Werror -o try try.c $flags
	[[ $(readelf -d try) == *"[libdsv.so."* ]]
	assert "$(LD_LIBRARY_PATH=$prefix/lib ./try)" "from C"
}

@test "pkg-config knows the version" {
	assert "dsv $(pkg-config --modversion libdsv)" \
		"$("$program" --version)"
}

@test "the header is fit for C++" {
	command -v c++ >/dev/null || skip "c++ is not installed"
	echo '#include <dsv.h>' >try.cc
	# shellcheck disable=SC2046
	c++ -Wall -Werror -fsyntax-only $(pkg-config --cflags libdsv) try.cc
}

@test "a static program builds too" {
	not_instrumented
	printf '%s\n' '#include <dsv.h>' '#include <stdio.h>' \
		'int main(void) { return puts(dsv_version()) < 0; }' >try.c
	# shellcheck disable=SC2046
	cc -o try try.c $(pkg-config --cflags libdsv) "$prefix/lib/libdsv.a" \
		$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --libs sqlite3 jansson \
			libcrypto libxxhash) -lm -pthread
	assert "dsv $(./try)" "$("$program" --version)"
}

@test "uninstall leaves no file" {
	cp -R "$DEST" there
	make -s -C "$top" uninstall DESTDIR="$PWD/there" PREFIX=/opt/dsv
	assert "$(find there ! -type d)" ""
	[ ! -e there/opt/dsv/share/doc/dsv ]
}
