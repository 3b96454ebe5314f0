#!/bin/sh
# Runs every golden case of `peerwall lint` again as SARIF and as JSON, and those of `peerwall watch` as JSON, and validates
# what they print against the published schema of SARIF 2.1.0 and against ours. `run.sh PROGRAM`
set -eu

program=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)

python=
for candidate in python3 /usr/bin/python3; do
	if "$candidate" -c 'import jsonschema' 2>/dev/null; then
		python=$candidate
		break
	fi
done
if [ -z "$python" ]; then
	echo "skipped: schema: needs python3-jsonschema"
	[ "${CI:-}" != true ] || exit 1
	exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
mkdir "$work/bin" "$work/sarif" "$work/json" "$work/watch"
# The last --format counts.
cat >"$work/bin/peerwall" <<WRAPPER
#!/bin/sh
exec "$program" "\$@" --format "\$FORMAT"
WRAPPER
chmod +x "$work/bin/peerwall"
PATH="$work/bin:$PATH"
export PATH

# again FORMAT CASE OUTPUT
again() {
	rm -rf "$work/case"
	cp -R "$here/../golden/$2" "$work/case"
	(cd "$work/case" && FORMAT=$1 sh ./cmd >"$3" 2>/dev/null </dev/null) || :
}

for directory in "$here"/../golden/lint-*/; do
	case=$(basename "$directory")
	for format in sarif json; do
		again $format "$case" "$work/$format/$case"
		# Lists and usage errors are no reports.
		case $(head -c 1 "$work/$format/$case") in
		'{') ;;
		*) rm "$work/$format/$case" ;;
		esac
	done
done
for directory in "$here"/../golden/watch-*/; do
	case=$(basename "$directory")
	again json "$case" "$work/watch/$case"
done
"$python" "$here/validate.py" "$here/sarif-2.1.0.json" 50 "$work"/sarif/*
"$python" "$here/validate.py" "$here/report-1.json" 50 "$work"/json/*
"$python" "$here/validate.py" "$here/watch-1.json" 10 "$work"/watch/*
