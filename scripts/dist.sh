#!/usr/bin/env bash
# Packs the plugins for those who build nothing:
#
#   dist.sh VERSION FOLDER
#
# For amd64 and arm64 each a tar.gz, which runs from the folder that it unpacks,
# and a .deb, which puts the plugins where the official package of Fluent Bit
# keeps its own; and their checksums, and which modules are in them. Equal sources,
# VERSION, Go and zig give equal bytes. SOURCE_DATE_EPOCH is the time of every
# file in them, the commit's unless it is set.
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."
# shellcheck source=scripts/say.sh
source scripts/say.sh
# shellcheck source=scripts/packages.sh
source scripts/packages.sh

NAME=fluent-bit-flbgo

version=$1 out=$2
[[ $version =~ ^[A-Za-z0-9][A-Za-z0-9._+-]*$ ]] ||
	fail "VERSION is '$version'; allowed are letters, digits and . _ + -, for example v1.2.0"
need_packages dist "packing"
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
umask 022

# debian_version prints VERSION as dpkg orders it: v1.2.0 is 1.2.0, v1.2.0-rc1 is before it, v1.2.0-5-gd627df9 (five
# commits later) behind, and what has no number is before everything, by the time of its commit.
debian_version() {
	local v=$version base tail=
	if [[ $v =~ ^v?([0-9].*)-([0-9]+)-g([0-9a-f]+)(-dirty)?$ ]]; then
		v=${BASH_REMATCH[1]} tail=+${BASH_REMATCH[2]}.g${BASH_REMATCH[3]}${BASH_REMATCH[4]:+.dirty}
	elif [[ ! $v =~ ^v?[0-9]+\. ]]; then
		v=0 tail="~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S).${version//[-_]/.}"
	fi
	base=${v#v}
	echo "${base//[-_]/\~}$tail"
}

# licences FILE FOLDER copies those of everything that is linked into a plugin.
licences() {
	local module path dir to found
	while read -r module; do
		path=${module%@*}
		dir=$(go list -m -f '{{.Dir}}' "$path")
		[[ -d $dir ]] || fail "the source of $module is not in the module cache; run: go mod download"
		to=$2/$module found=
		mkdir -p "$to"
		for file in "$dir"/{LICEN[SC]E,COPYING,NOTICE,PATENTS}*; do
			[[ -f $file ]] || continue
			install -m 0644 "$file" "$to/"
			found=yes
		done
		[[ $found ]] || fail "$module has no licence in $dir"
	done < <(go version -m "$1" | awk '$1 == "dep" { print $2 "@" $3 }')
	mkdir -p "$2/go"
	install -m 0644 "$(go env GOROOT)/LICENSE" "$2/go/"
}

# same_times gives every file of a folder its time and mode.
same_times() {
	chmod -R u=rwX,go=rX "$1"
	find "$1" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

# pack_tar FOLDER FILE
pack_tar() {
	same_times "$1"
	tar --create --directory="$(dirname "$1")" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner \
		"$(basename "$1")" | gzip -6n >"$2"
}

# pack_deb ARCH FOLDER FILE: FOLDER is what pack_tar packed.
pack_deb() {
	local root=$work/deb doc=/usr/share/doc/$NAME kib
	rm -rf "$root"
	mkdir -p "$root/DEBIAN" "$root$doc"
	scripts/install.sh add "$root" /opt/fluent-bit/lib/fluent-bit /etc/fluent-bit "$2"/bin/*.so 2>/dev/null
	cp -r "$2"/{README.md,MODULES,licences,plugins} "$root$doc/"
	mkdir "$root$doc/examples"
	cp -r "$2/conf" "$root$doc/examples/"
	{
		echo "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
		echo
		echo "Files: *"
		echo "Copyright: the authors of $NAME; of the linked modules: see $doc/licences"
		echo "License: Apache-2.0"
		echo " The full text is in /usr/share/common-licenses/Apache-2.0."
	} >"$root$doc/copyright"
	kib=$(find "$root" -path "$root/DEBIAN" -prune -o -type f -printf '%s\n' | awk '{ n += int(($1 + 1023) / 1024) } END { print n }')
	echo /etc/fluent-bit/plugins-flbgo.conf >"$root/DEBIAN/conffiles"
	(cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' md5sum) >"$root/DEBIAN/md5sums"
	cat >"$root/DEBIAN/control" <<-CONTROL
		Package: $NAME
		Version: $(debian_version)
		Architecture: $1
		Maintainer: $NAME <$NAME@localhost>
		Installed-Size: $kib
		Depends: libc6 (>= $(sed -n 's/^GLIBC=//p' scripts/release.sh))
		Enhances: fluent-bit
		Section: net
		Priority: optional
		Description: Fluent Bit plugins: enrich, field_metrics, kafka_batch
		 Service metadata and trace ids in every record, Prometheus metrics from record
		 fields, and a Kafka output that answers OK only when the broker has the records.
		 .
		 Fluent Bit loads them after "Plugins_File /etc/fluent-bit/plugins-flbgo.conf"
		 was added to [SERVICE].
	CONTROL
	same_times "$root"
	# gzip: every dpkg reads it, and it writes the same bytes however many cores there are.
	dpkg-deb --root-owner-group -Zgzip -z6 --build "$root" "$3" >/dev/null
}

work=$(mktemp -d)
trap 'stop_stage; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
new=$work/dist
mkdir "$new"
for arch in amd64 arm64; do
	scripts/release.sh "$arch" "bin/linux-$arch" "$version"
	folder=$work/$NAME-$version-linux-$arch
	mkdir -p "$folder/bin"
	install -m 0644 "bin/linux-$arch"/*.so "$folder/bin/"
	cp -r --parents LICENSE README.md conf plugins/*/README.md "$folder/"
	(cd "$folder/bin" && go version -m -- *.so) >"$folder/MODULES"
	echo "zig $("$(scripts/zig.sh)" version)" >>"$folder/MODULES"
	for file in "$folder"/bin/*.so; do licences "$file" "$folder/licences"; done
	install -m 0644 "$folder/MODULES" "$new/$NAME-$version-linux-$arch.modules.txt"
	pack_tar "$folder" "$new/$NAME-$version-linux-$arch.tar.gz"
	pack_deb "$arch" "$folder" "$new/${NAME}_$(debian_version)_$arch.deb"
done
(cd "$new" && LC_ALL=C sha256sum -- *.deb *.tar.gz *.txt >SHA256SUMS)
mkdir -p "$out"
rm -f "$out"/"$NAME"[-_]*.{deb,tar.gz,modules.txt} "$out/SHA256SUMS"
mv "$new"/* "$out/"
(cd "$out" && du -h -- *) | awk -v out="$out" '{ printf "  %s/%s, %s\n", out, $2, $1 }' >&2
