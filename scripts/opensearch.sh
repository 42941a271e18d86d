#!/usr/bin/env bash
# A real OpenSearch on the loopback interface, for tests: the server's own jars
# from Maven Central, without the plugins of its distribution.
#
#   opensearch.sh jars            put OpenSearch into the cache, print the folder
#   opensearch.sh run DIR PORT    one node in the foreground, in this process; its
#                                 data and log are in DIR; transport is on PORT+1
#   opensearch.sh why             nothing, or one line: what is missing here
#
# Exit status 3: Java, Maven or OpenSearch itself is not to be had here.
set -euo pipefail
# shellcheck source=scripts/say.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/say.sh"

VERSION=2.19.1
# Of the list that sha256sum makes of all jars: Maven checks each against what
# the registry says today.
JARS_SHA256=17028d5454d4fa61ef3977658e847202d7d00a5b558cee6a22d997b98465c029
JARS=$CACHE/opensearch-$VERSION-${JARS_SHA256:0:12}
JAVA=${JAVA_HOME:+$JAVA_HOME/bin/}java

why() {
	local version
	if ! version=$("$JAVA" -version 2>&1 </dev/null | sed -n 's/.*version "\([0-9]*\).*/\1/p;T;q'); then version=; fi
	if ((${version:-0} < 17 || ${version:-0} > 23)); then # 24 has no security manager any more
		echo "OpenSearch $VERSION needs Java 17 to 23 (Debian package openjdk-17-jre-headless), found ${version:-none}"
	elif [[ ! -d $JARS ]] && ! command -v mvn >/dev/null; then
		echo "OpenSearch $VERSION comes with Maven (Debian package maven), which is not here"
	fi
}

unavailable() {
	say "no real OpenSearch: $*"
	exit 3
}

fetch() {
	local artifact dependencies=
	for artifact in org.opensearch:opensearch:$VERSION org.opensearch:opensearch-plugin-classloader:$VERSION \
		org.opensearch.plugin:transport-netty4-client:$VERSION org.apache.logging.log4j:log4j-core:2.21.0; do
		IFS=: read -r group name version <<<"$artifact"
		dependencies+="<dependency><groupId>$group</groupId><artifactId>$name</artifactId><version>$version</version></dependency>"
	done
	cat >"$1/pom.xml" <<-POM
		<project xmlns="http://maven.apache.org/POM/4.0.0">
		<modelVersion>4.0.0</modelVersion><groupId>flbgo</groupId><artifactId>opensearch</artifactId><version>1</version>
		<dependencies>$dependencies</dependencies></project>
	POM
	(cd "$1" && timeout 300 mvn -B -q dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$1/jars")
}

jars() {
	local reason log work sum
	reason=$(why)
	[[ -z $reason ]] || unavailable "$reason"
	if [[ -d $JARS ]]; then return; fi
	lock opensearch "it fetches OpenSearch $VERSION"
	if [[ -d $JARS ]]; then return; fi
	log=$(new_log opensearch)
	work=$(mktemp -d "$CACHE/.opensearch.XXXXXX")
	say "fetching OpenSearch $VERSION from Maven Central, once (log: $log)"
	if ! fetch "$work" >"$log" 2>&1 </dev/null; then
		rm -rf "$work"
		tail -n 5 "$log" >&2
		unavailable "Maven cannot fetch org.opensearch:opensearch:$VERSION"
	fi
	sum=$(cd "$work/jars" && LC_ALL=C sha256sum -- *.jar | sha256sum | cut -d' ' -f1)
	if [[ $sum != "$JARS_SHA256" ]]; then
		rm -rf "$work"
		fail "the jars of OpenSearch $VERSION are not those pinned: $sum instead of $JARS_SHA256"
	fi
	mv -T "$work/jars" "$JARS"
	rm -rf "$work"
}

# run becomes the node. OpenSearch refuses to be root: then it is nobody, to whom
# the folder is given, and who cannot read root's cache.
run() {
	local dir=$1 port=$2 module as=()
	jars
	module=$dir/modules/transport-netty4
	mkdir -p "$dir"/{config,lib,plugins} "$module"
	cp "$JARS"/*.jar "$dir/lib"
	mv "$dir"/lib/{transport-netty4-client,netty-}*.jar "$module"
	cat >"$module/plugin-descriptor.properties" <<-P
		name=transport-netty4
		description=HTTP and transport
		version=$VERSION
		opensearch.version=$VERSION
		java.version=11
		classname=org.opensearch.transport.Netty4Plugin
	P
	cat >"$dir/config/opensearch.yml" <<-P
		discovery.type: single-node
		network.host: 127.0.0.1
		http.port: $port
		transport.port: $((port + 1))
		cluster.routing.allocation.disk.threshold_enabled: false
	P
	cat >"$dir/config/log4j2.properties" <<-'P'
		status = error
		appender.console.type = Console
		appender.console.name = console
		appender.console.layout.type = PatternLayout
		appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
		rootLogger.level = warn
		rootLogger.appenderRef.console.ref = console
	P
	# The policies of its distribution are made for how that lays out its files.
	echo 'grant { permission java.security.AllPermission; };' >"$dir/config/java.policy"
	if ((EUID == 0)); then
		chown -R nobody "$dir"
		as=(setpriv --reuid nobody --clear-groups)
	fi
	cd "$dir"
	exec "${as[@]}" "$JAVA" -Xms128m -Xmx512m -XX:+UseSerialGC -Djava.awt.headless=true -Djava.io.tmpdir="$dir" \
		-Djava.security.manager=allow -Djava.security.policy="$dir/config/java.policy" \
		-Dopensearch.path.home="$dir" -Dopensearch.path.conf="$dir/config" \
		-cp "$dir/lib/*" org.opensearch.bootstrap.OpenSearch </dev/null >"$dir/opensearch.log" 2>&1
}

case "${1:-} $#" in
"why 1") why ;;
"jars 1") jars && echo "$JARS" ;;
"run 3") run "$2" "$3" ;;
*) fail "unknown arguments '$*'; usage: opensearch.sh jars, run DIR PORT, why" ;;
esac
