#!/bin/bash
# Does run.sh notice? A document in which every block is wrong, and one in which all are right. `self.sh PROGRAM`.
set -u

program=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
if [ "$(id -u)" != 0 ] || ! unshare -mn true 2>/dev/null; then
	echo "skipped: the documents' own test: needs root and namespaces"
	echo "self: 0 passed, 0 failed"
	exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# expect NAME SUMMARY: what run.sh says in the end about the document on standard input.
expect() {
	local last
	cat >"$work/$1.md"
	last=$("$here/run.sh" "$program" "$work/$1.md" | tee "$work/log" | tail -n 1)
	if [ "$last" = "$2" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok $1: '$last', not '$2'"
		sed 's/^/    /' "$work/log"
	fi
}

expect wrong "docs: 0 passed, 13 failed" <<'EOF'
```pw
interface wg1 { expose 22 to 10.1.1.4 }
```

```pw error
interface wg1 { expose tcp 22 to 10.1.1.4 }
```

A warning that is not shown:

```pw
interface wg1 { }
```

Other words than these:

```pw error
interface wg1 { expose 22 to 10.1.1.4 }
```

```text
policy.pw:1:1: error: no
```

```console
$ printf 'one\ntwo\nthree\n'
one
...
two
$ printf 'one\ntwo\n'
...
one
$ echo one of two
one ... three
$ echo one of two
...of ... one
$ echo one; false
...
$ echo one \
    two
one
two
```

```sh
false
true
```

```ini
PostUp = peerwall aply /etc/peerwall/%i.pw
```

```yaml
- run: |
    true
    peerwall lint missing.pw
```
EOF

expect right "docs: 10 passed, 0 failed" <<'EOF'
```pw wg1.pw
interface wg1 { expose tcp 22 to 10.1.1.4 }
```

```pw error
interface wg1 { expose 22 to 10.1.1.4 }
```

```text
policy.pw:1:24: error: a port needs its protocol before it [PW115 wrong-kind]
    interface wg1 { expose 22 to 10.1.1.4 }
                           ^~
    = help: did you mean 'tcp 22'?
```

```console
$ printf 'one\ntwo\nthree\n'
one
...
three
$ printf 'one\ntwo\nthree\n'
...
two
...
$ echo one of two and three
one ... two... three
$ false || echo "exit code $?"
exit code 1
$ echo one \
    two
one two
$ cd /; pwd
/
$ pwd
/
```

```sh
test "$(id -u)" != 0
# A comment ends it.
```
EOF

echo "self: $passed passed, $failed failed"
[ $failed = 0 ]
