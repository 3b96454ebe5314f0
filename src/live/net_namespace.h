/*
 * net_namespace.h - a piece of work in a network namespace of its own, with rules of its own.
 *
 * Purpose: rules can be loaded there for real, and nobody's packets meet them. The work is done by a child process, so
 * that ours never leaves its own namespace. The namespace ends with the child and the tools that it has started, and they
 * end with us: nothing is left behind, whatever is killed.
 * It takes CAP_SYS_ADMIN, or a user namespace, in which the child has all rights over what it has made, and no others.
 * Source of facts: unshare(2), network_namespaces(7), user_namespaces(7).
 * Errors: 0 if the work came to its end; -errno if there is no namespace to be had (-ENOSPC: at the limit);
 * -ECHILD if the child was killed on the way. State after failure: none of it is left.
 */
#ifndef PEERWALL_NET_NAMESPACE_H
#define PEERWALL_NET_NAMESPACE_H

#include <peerwall/strbuf.h>

/* What the work leaves in `out`, in the child's copy of all memory, is what comes back. */
typedef void (*net_namespace_work)(void *context, struct strbuf *out);

int net_namespace_run(net_namespace_work work, void *context, struct strbuf *out);

#endif
