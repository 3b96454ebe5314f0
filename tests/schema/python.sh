# shellcheck shell=sh
# Sourced: sets python to one that can validate JSON against a schema, or to nothing.

python=
for candidate in python3 /usr/bin/python3; do
	if "$candidate" -c 'import jsonschema' 2>/dev/null; then
		python=$candidate
		break
	fi
done
