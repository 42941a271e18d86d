#!/usr/bin/env bash
# Puts the plugins where a packaged Fluent Bit keeps its own, or takes them away:
#
#   install.sh add|remove DESTDIR LIBDIR CONFDIR FILE...
#
# Fluent Bit searches no folder: it loads the absolute paths of a plugin list.
# The list has a name of its own, because the core's package owns plugins.conf.
set -euo pipefail
# shellcheck source=scripts/say.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/say.sh"

action=$1 root=$2 lib=$3 conf=$4
shift 4
list=$conf/plugins-flbgo.conf

case $action in
add)
	for file in "$@"; do
		[[ -f $file ]] || fail "$file is not there: run make build first"
	done
	install -d "$root$lib" "$root$conf"
	for file in "$@"; do
		# A rename instead of a copy over the old file: a running Fluent Bit
		# has that one mapped, and writing into it would crash it.
		install -m 0644 "$file" "$root$lib/.${file##*/}.new"
		mv -f "$root$lib/.${file##*/}.new" "$root$lib/${file##*/}"
		say "$root$lib/${file##*/}"
	done
	{
		echo "[PLUGINS]"
		# Without DESTDIR: the paths as they will be on the machine.
		for file in "$@"; do echo "    Path $lib/${file##*/}"; done
	} | install -m 0644 /dev/stdin "$root$list.new"
	mv -f "$root$list.new" "$root$list"
	say "$root$list"
	# Fluent Bit reads every Plugins_File of [SERVICE], from 1.8 to 5.1.
	say "to load them, add to [SERVICE], beside the Plugins_File that is there: Plugins_File $list"
	;;
remove)
	for file in "$@"; do rm -f "$root$lib/${file##*/}"; done
	rm -f "$root$list"
	# The folders are Fluent Bit's own, unless they are empty.
	rmdir "$root$lib" "$root$conf" 2>/dev/null || true
	say "removed from $root$lib and $root$conf"
	;;
*) fail "unknown action '$action'; allowed: add, remove" ;;
esac
