# A payload or an iptables-save text as "table chain rule" lines, sorted by table and chain, the rules of a chain in their
# order: insertions at the top count backwards. Empty built-in chains and counters are left out.
/^\*/ { table = substr($0, 2) }
/^:PW/ { print table "\t" substr($1, 2) "\t" }
/^-A / { line = $0; sub(/^-A [^ ]+ /, "", line); print table "\t" $2 "\t" line }
/^-I / { line = $0; sub(/^-I [^ ]+ 1 /, "", line); inserted[++count] = table "\t" $2 "\t" line }
END { while (count) print inserted[count--] }
