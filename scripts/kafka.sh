#!/usr/bin/env bash
# A real Apache Kafka on the loopback interface, for tests. Its nodes, each a
# broker and a controller (KRaft), keep data, log and pid in a folder of theirs.
#
#   kafka.sh jars              put Kafka into the cache, print the folder
#   kafka.sh format DIR [N]    make N (1) nodes on free ports, print the brokers
#   kafka.sh start DIR [NODE]  format unless done; start, print the brokers
#   kafka.sh stop DIR [NODE]   SIGTERM: a leader hands over first
#   kafka.sh kill DIR [NODE]   SIGKILL
#   kafka.sh freeze|thaw DIR [NODE]   SIGSTOP, SIGCONT
#   kafka.sh run DIR NODE      one node in the foreground, in this process
#   kafka.sh why               nothing, or one line: what is missing here
#   kafka.sh version           of Kafka
#
# NODE counts from 1; without it all of them are meant. A node has a listener
# without security, whose clients may do everything, and one with SASL (SCRAM),
# whose clients may do what ACLs say: DIR/NODE/brokers and
# DIR/NODE/sasl-brokers have their addresses. KAFKA_PROPERTIES, one to a line,
# go to the end of each server.properties that format writes.
#
# Exit status 3: Java, Maven or Kafka itself is not to be had here.
set -euo pipefail
# shellcheck source=scripts/say.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/say.sh"

VERSION=4.1.1
# Of the list that sha256sum makes of all jars: Maven checks each against what
# the registry says today.
JARS_SHA256=cc103740486a3dac6e1ea7592ee7d3ae8307b7b5ad7f45e8003104a16f2548c2
JARS=$CACHE/kafka-$VERSION-${JARS_SHA256:0:12}
JAVA=${JAVA_HOME:+$JAVA_HOME/bin/}java

# why prints what keeps Kafka from running here, nothing where nothing does.
# What is in the cache needs no Maven.
why() {
	local version
	if ! version=$("$JAVA" -version 2>&1 </dev/null | sed -n 's/.*version "\([0-9]*\).*/\1/p;T;q'); then version=; fi
	if ((${version:-0} < 17)); then
		echo "Kafka $VERSION needs Java 17 or later (Debian package openjdk-17-jre-headless), found ${version:-none}"
	elif [[ ! -d $JARS ]] && ! command -v mvn >/dev/null; then
		echo "Kafka $VERSION comes with Maven (Debian package maven), which is not here"
	fi
}

# unavailable WHY ends the script for lack of what only the user can mend.
unavailable() {
	say "no real Kafka: $*"
	exit 3
}

sum_of() { (cd "$1" && LC_ALL=C sha256sum -- *.jar | sha256sum | cut -d' ' -f1); }

fetch() {
	cat >"$1/pom.xml" <<-POM
		<project xmlns="http://maven.apache.org/POM/4.0.0">
		<modelVersion>4.0.0</modelVersion><groupId>flbgo</groupId><artifactId>kafka</artifactId><version>1</version>
		<dependencies>
		<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$VERSION</version></dependency>
		<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
		</dependencies></project>
	POM
	(cd "$1" && timeout 300 mvn -B -q dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$1/jars")
}

# jars puts Kafka into the cache unless it is there.
jars() {
	local reason log work sum
	reason=$(why)
	[[ -z $reason ]] || unavailable "$reason"
	if [[ -d $JARS ]]; then return; fi
	lock kafka "it fetches Kafka $VERSION"
	if [[ -d $JARS ]]; then return; fi
	log=$(new_log kafka)
	work=$(mktemp -d "$CACHE/.kafka.XXXXXX")
	say "fetching Kafka $VERSION from Maven Central, once (log: $log)"
	if ! fetch "$work" >"$log" 2>&1 </dev/null; then
		rm -rf "$work"
		tail -n 5 "$log" >&2
		unavailable "Maven cannot fetch org.apache.kafka:kafka_2.13:$VERSION: $(grep -m 1 -o '\[ERROR\].*' "$log" | cut -c1-200 || true)"
	fi
	sum=$(sum_of "$work/jars")
	if [[ $sum != "$JARS_SHA256" ]]; then
		rm -rf "$work"
		fail "the jars of Kafka $VERSION are not those pinned: $sum instead of $JARS_SHA256"
	fi
	mv -T "$work/jars" "$JARS"
	rm -rf "$work"
}

# free_port prints one below those from which the kernel takes for connections,
# that nobody listens on and that this run has not printed before.
USED=" "
free_port() {
	local tries
	for tries in {1..100}; do
		PORT=$((15000 + (RANDOM * 32768 + RANDOM) % 17000))
		if [[ $USED != *" $PORT "* ]] && ! (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; then
			USED+="$PORT "
			return
		fi
	done
	fail "no free port from 15000 to 31999 after $tries tries"
}

# nodes DIR [NODE] prints the numbers of the nodes that are meant.
nodes() {
	local dir
	if [[ -n ${2:-} ]]; then
		[[ -f $1/$2/server.properties ]] || fail "$1 has no node $2; kafka.sh format makes nodes"
		echo "$2"
		return
	fi
	for dir in "$1"/*/server.properties; do
		[[ -f $dir ]] || fail "$1 has no nodes; kafka.sh format makes some"
		dir=${dir%/*}
		echo "${dir##*/}"
	done
}

format() {
	local dir=$1 count=${2:-1} node voters='' id
	local -a plain sasl controller
	jars
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd)
	for ((node = 1; node <= count; node++)); do
		free_port && plain[node]=$PORT
		free_port && sasl[node]=$PORT
		free_port && controller[node]=$PORT
		voters+=${voters:+,}$node@127.0.0.1:$PORT
	done
	id=$(head -c 16 /dev/urandom | base64 | tr '+/' 'ab' | cut -c1-22)
	for ((node = 1; node <= count; node++)); do
		mkdir -p "$dir/$node"
		echo "127.0.0.1:${plain[node]}" >"$dir/$node/brokers"
		echo "127.0.0.1:${sasl[node]}" >"$dir/$node/sasl-brokers"
		cat >"$dir/$node/server.properties" <<-P
			process.roles=broker,controller
			node.id=$node
			controller.quorum.voters=$voters
			listeners=PLAINTEXT://127.0.0.1:${plain[node]},SASL://127.0.0.1:${sasl[node]},CONTROLLER://127.0.0.1:${controller[node]}
			advertised.listeners=PLAINTEXT://127.0.0.1:${plain[node]},SASL://127.0.0.1:${sasl[node]}
			listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
			inter.broker.listener.name=PLAINTEXT
			controller.listener.names=CONTROLLER
			listener.name.sasl.sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512
			listener.name.sasl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
			listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
			authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
			super.users=User:ANONYMOUS
			log.dirs=$dir/$node/data
			num.partitions=1
			default.replication.factor=$count
			min.insync.replicas=$(((count + 1) / 2))
			offsets.topic.num.partitions=1
			offsets.topic.replication.factor=$count
			transaction.state.log.replication.factor=$count
			transaction.state.log.min.isr=$(((count + 1) / 2))
			share.coordinator.state.topic.replication.factor=$count
			share.coordinator.state.topic.min.isr=$(((count + 1) / 2))
			group.initial.rebalance.delay.ms=0
			auto.create.topics.enable=false
			log.cleaner.dedupe.buffer.size=8388608
		P
		[[ -z ${KAFKA_PROPERTIES:-} ]] || printf '%s\n' "$KAFKA_PROPERTIES" >>"$dir/$node/server.properties"
		"$JAVA" -Xmx128m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$JARS/*" kafka.tools.StorageTool \
			format -t "$id" -c "$dir/$node/server.properties" >"$dir/$node/format.log" 2>&1 </dev/null ||
			fail "node $node cannot be formatted: $(tail -n 3 "$dir/$node/format.log")"
	done
	brokers "$dir"
}

brokers() { cat "$1"/*/brokers | paste -sd,; }

# run becomes the node: the pid that the caller started is the broker's.
run() {
	local dir=$1/$2 heap=512m
	[[ -f $dir/server.properties ]] || fail "$1 has no node $2; kafka.sh format makes nodes"
	jars
	# Several share the machine with the host and the tests.
	if [[ -f $1/2/server.properties ]]; then heap=320m; fi
	exec "$JAVA" -Xms64m -Xmx$heap -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.awt.headless=true \
		-Dorg.slf4j.simpleLogger.showDateTime=true -Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS \
		-cp "$JARS/*" kafka.Kafka "$dir/server.properties" </dev/null >>"$dir/kafka.log" 2>&1
}

alive() { [[ -f $1/pid ]] && kill -0 "$(<"$1/pid")" 2>/dev/null; }

start() {
	local dir=$1 list node begin=$SECONDS
	local -A from
	[[ -f $dir/1/server.properties ]] || format "$dir" >/dev/null
	list=$(nodes "$dir" "${2:-}")
	# All before any is waited for: one alone of three has no controller.
	for node in $list; do
		if alive "$dir/$node"; then continue; fi
		touch "$dir/$node/kafka.log"
		from[$node]=$(stat -c %s "$dir/$node/kafka.log")
		setsid "$0" run "$dir" "$node" >/dev/null 2>>"$dir/$node/kafka.log" &
		echo $! >"$dir/$node/pid"
		disown
	done
	for node in "${!from[@]}"; do
		until tail -c "+$((from[$node] + 1))" "$dir/$node/kafka.log" | grep -q 'Kafka Server started'; do
			if ! alive "$dir/$node"; then fail "node $node ended: $(tail -n 5 "$dir/$node/kafka.log")"; fi
			if ((SECONDS - begin > 60)); then fail "node $node does not serve after a minute: $(tail -n 5 "$dir/$node/kafka.log")"; fi
			sleep 0.1
		done
	done
	brokers "$dir"
}

# signal NAME DIR [NODE] sends it to the nodes that run.
signal() {
	local list node begin=$SECONDS
	list=$(nodes "$2" "${3:-}")
	for node in $list; do
		if alive "$2/$node"; then kill -s "$1" "$(<"$2/$node/pid")"; fi
	done
	case $1 in
	TERM) signal CONT "$2" "${3:-}" ;; # one that is frozen would not hear it
	STOP | CONT) return ;;
	esac
	for node in $list; do
		while alive "$2/$node"; do
			# The last one of several looks for a controller for long.
			if ((SECONDS - begin > 30)); then kill -s KILL "$(<"$2/$node/pid")"; fi
			sleep 0.1
		done
		rm -f "$2/$node/pid"
	done
}

case "${1:-} $#" in
"why 1") why ;;
"version 1") echo "$VERSION" ;;
"jars 1") jars && echo "$JARS" ;;
"format "[23]) format "${@:2}" ;;
"run 3") run "$2" "$3" ;;
"start "[23]) start "${@:2}" ;;
"stop "[23]) signal TERM "${@:2}" ;;
"kill "[23]) signal KILL "${@:2}" ;;
"freeze "[23]) signal STOP "${@:2}" ;;
"thaw "[23]) signal CONT "${@:2}" ;;
*) fail "unknown arguments '$*'; usage: kafka.sh start|stop|kill|freeze|thaw DIR [NODE], format DIR [COUNT], run DIR NODE, jars, why, version" ;;
esac
