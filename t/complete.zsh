# SPDX-License-Identifier: MIT
# Print what zsh offers for the command line $2 with the function in $1.
zmodload zsh/zpty
dir=$(mktemp -d)
trap 'zpty -d z 2>/dev/null; rm -rf $dir' EXIT
cp $1 $dir/_dsv
cat >$dir/rc <<END
PROMPT= RPROMPT=
fpath=($dir \$fpath)
autoload -Uz compinit
compinit -u -D
compadd() {
	local -a hits

	case " \$* " in
	*\ -[AOD]*) builtin compadd "\$@"; return ;;
	esac
	builtin compadd -A hits "\$@"
	print -lr -- \$hits >>$dir/out
	builtin compadd "\$@"
}
capture() { _main_complete; print >>$dir/done }
zle -C capture complete-word capture
bindkey '^I' capture
stty -echo
print >>$dir/ready
END
zpty z zsh -f -i
zpty -w z ". $dir/rc"
for try in {1..100}; do [[ -e $dir/ready ]] && break; sleep 0.1; done
zpty -w -n z "$2"$'\t'
for try in {1..100}; do [[ -e $dir/done ]] && break; sleep 0.1; done
[[ -e $dir/done ]] || print -r "no answer"
[[ ! -e $dir/out ]] || sort -u $dir/out
