#include "unit.h"

#include "language.h"

#include <peerwall/services.h>

#include <time.h>
#include <unistd.h>

/* ---- meanings: sets, as text ---- */

static void add_peers(struct strbuf *out, const struct peer_set *peers)
{
	char text[PREFIX_TEXT_MAX];

	for (int family = 0; family < FAMILY_COUNT; family++) {
		struct prefix_list prefixes = {{NULL, 0, 0}};

		addr_set_prefixes(&arena, &peers->sets[family], &prefixes);
		vec_each(prefix, &prefixes.items) {
			prefix_format(prefix, text);
			strbuf_addf(out, " %s", text);
		}
	}
}

static void add_services(struct strbuf *out, const struct service_set *services)
{
	if (services->any)
		strbuf_adds(out, " everything");
	for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++)
		vec_each(range, &services->ports[protocol].ranges)
			strbuf_addf(out, range->lo == range->hi ? " %s:%u" : " %s:%u-%u", protocol_names[protocol], range->lo,
				    range->hi);
}

static void add_log(struct strbuf *out, const struct log_rule *log)
{
	if (log->wanted)
		strbuf_addf(out, " | log '%s' %u/%d burst %u", log->prefix, log->count, (int)log->unit, log->burst);
}

static const char *permission_text(const struct permission *permission)
{
	struct strbuf out = STRBUF_EMPTY;

	strbuf_adds(&out, permission->kind == PERMISSION_EXPOSE ? "expose"
			  : permission->kind == PERMISSION_ICMP ? "icmp"
								: "forward");
	add_services(&out, &permission->services);
	vec_each(type, &permission->icmp)
		strbuf_addf(&out, " v%d:%u/%d", type->family == FAMILY_IPV4 ? 4 : 6, type->type, type->code);
	strbuf_adds(&out, " | from");
	add_peers(&out, &permission->from);
	if (permission->from_via)
		strbuf_addf(&out, " via %s", permission->from_via);
	if (permission->kind == PERMISSION_FORWARD) {
		strbuf_adds(&out, " | to");
		add_peers(&out, &permission->to);
	}
	if (permission->to_via)
		strbuf_addf(&out, " via %s", permission->to_via);
	if (permission->has_at) {
		strbuf_adds(&out, " | at");
		add_peers(&out, &permission->at);
	}
	add_log(&out, &permission->log);
	return strbuf_keep(&out, &arena);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct texts {
	VEC(const char *) items;
};

static void add_sorted(struct strbuf *out, struct texts *texts)
{
	if (texts->items.len)
		qsort(texts->items.data, texts->items.len, sizeof *texts->items.data, compare_texts);
	vec_each(text, &texts->items)
		strbuf_addf(out, "%s\n", *text);
}

static const char *interface_text(const struct interface_policy *interface)
{
	struct strbuf out = STRBUF_EMPTY;
	struct texts permissions = {{NULL, 0, 0}};

	strbuf_adds(&out, "interface");
	vec_each(name, &interface->names)
		strbuf_addf(&out, " %s", name->text);
	strbuf_addf(&out, " %s", interface->otherwise == REFUSAL_REJECT ? "reject" : "drop");
	add_log(&out, &interface->otherwise_log);
	strbuf_addc(&out, '\n');
	vec_each(permission, &interface->permissions)
		vec_push(&arena, &permissions.items, permission_text(permission));
	add_sorted(&out, &permissions);
	return strbuf_keep(&out, &arena);
}

static const char *assertion_text(const struct assertion *assertion)
{
	struct strbuf out = STRBUF_EMPTY;

	strbuf_addf(&out, "test %s%s", assertion->can ? "can" : "cannot", assertion->ping ? " ping" : "");
	add_services(&out, &assertion->services);
	strbuf_adds(&out, " | from");
	add_peers(&out, &assertion->from);
	if (assertion->has_at) {
		strbuf_adds(&out, " | at");
		add_peers(&out, &assertion->at);
	}
	return strbuf_keep(&out, &arena);
}

/* The same for all policies that mean the same, whatever their order. */
static const char *meaning(const struct policy *policy)
{
	struct strbuf out = STRBUF_EMPTY;
	struct texts texts = {{NULL, 0, 0}};

	vec_each(interface, &policy->interfaces)
		vec_push(&arena, &texts.items, interface_text(interface));
	vec_each(assertion, &policy->assertions)
		vec_push(&arena, &texts.items, assertion_text(assertion));
	add_sorted(&out, &texts);
	return strbuf_keep(&out, &arena);
}

static const char flagship[] =
	"peers lan    = 10.1.1.0/24, fd00:1::/64\n"
	"peers laptop = 10.1.1.4, fd00:1::4\n"
	"service jellyfin = tcp 8096\n"
	"interface wg1 {\n"
	"    expose jellyfin to lan              # a host port\n"
	"    expose tcp 22, udp 60000-61000 to laptop\n"
	"    allow ping from lan\n"
	"    forward from lan to lan             # peer to peer\n"
	"    forward from laptop to 192.168.7.0/24 via eth0 tcp 445\n"
	"    otherwise reject                    # or drop\n"
	"}\n"
	"test {\n"
	"    laptop can    tcp 22\n"
	"    lan    can    jellyfin\n"
	"    lan    cannot tcp 873\n"
	"}\n";

START_TEST(resolves_the_flagship)
{
	const struct policy *policy = resolve_text(flagship);

	ck_assert_str_eq(rendered(), "");
	ck_assert_str_eq(meaning(policy),
			 "interface wg1 reject\n"
			 "expose tcp:22 udp:60000-61000 | from 10.1.1.4/32 fd00:1::4/128\n"
			 "expose tcp:8096 | from 10.1.1.0/24 fd00:1::/64\n"
			 "forward everything | from 10.1.1.0/24 fd00:1::/64 | to 10.1.1.0/24 fd00:1::/64\n"
			 "forward tcp:445 | from 10.1.1.4/32 fd00:1::4/128 | to 192.168.7.0/24 via eth0\n"
			 "icmp v4:8/-1 v6:128/-1 | from 10.1.1.0/24 fd00:1::/64\n"
			 "\n"
			 "test can tcp:22 | from 10.1.1.4/32 fd00:1::4/128\n"
			 "test can tcp:8096 | from 10.1.1.0/24 fd00:1::/64\n"
			 "test cannot tcp:873 | from 10.1.1.0/24 fd00:1::/64\n");
	ck_assert_uint_eq(policy->definitions.len, 3);
}
END_TEST

static const struct {
	const char *text, *meaning;
} meanings[] = {
	{"expose tcp 1 to any", "expose tcp:1 | from 0.0.0.0/0 ::/0\n"},
	{"expose tcp 1, 2, 3, 10-20, udp 15-30, tcp 21, 2 to 10.0.0.0/25, 10.0.0.128/25",
	 "expose tcp:1-3 tcp:10-21 udp:15-30 | from 10.0.0.0/24\n"},
	{"expose nest to nested", "expose tcp:1-3 sctp:9 | from 10.0.0.0/8 fd00::/8\n"},
	{"expose tcp ssh, sctp 5, udp domain, tcp domain to any", "expose tcp:22 tcp:53 udp:53 sctp:5 | from 0.0.0.0/0 ::/0\n"},
	{"expose tcp 0-65535 to any at 10.0.0.1, nested",
	 "expose tcp:0-65535 | from 0.0.0.0/0 ::/0 | at 10.0.0.0/8 fd00::/8\n"},
	{"allow icmp echo-request, 8, 3/4, destination-unreachable, 3/1, 0 from any",
	 "icmp v4:0/-1 v4:3/-1 v4:8/-1 | from 0.0.0.0/0 ::/0\n"},
	{"allow icmpv6 packet-too-big, ping, 255/255, 1/4, 1/4 from any",
	 "icmp v6:1/4 v6:2/-1 v6:128/-1 v6:255/255 | from 0.0.0.0/0 ::/0\n"},
	{"forward from any via wg1 to any via eth0", "forward everything | from 0.0.0.0/0 ::/0 | to 0.0.0.0/0 ::/0 via eth0\n"},
	{"forward from any via eth+ to any via wg1 udp 1", "forward udp:1 | from 0.0.0.0/0 ::/0 via eth+ | to 0.0.0.0/0 ::/0\n"},
	{"forward from any via wg1 to any via \"wg1\"", "forward everything | from 0.0.0.0/0 ::/0 | to 0.0.0.0/0 ::/0\n"},
	{"expose tcp 1 to any log \"x: \"", "expose tcp:1 | from 0.0.0.0/0 ::/0 | log 'x: ' 6/1 burst 5\n"},
	{"expose tcp 1 to any log \"12345678901234567890123456789\" limit 10000/second burst 10000",
	 "expose tcp:1 | from 0.0.0.0/0 ::/0 | log '12345678901234567890123456789' 10000/0 burst 10000\n"},
	{"expose tcp 1 to any log \"x\" limit 1/day", "expose tcp:1 | from 0.0.0.0/0 ::/0 | log 'x' 1/3 burst 1\n"},
	{"expose tcp 1 to any log \"x\" limit 1/hour burst 24", "expose tcp:1 | from 0.0.0.0/0 ::/0 | log 'x' 1/2 burst 24\n"},
};

START_TEST(works_out_sets)
{
	const char *text, *expected;

	text = arena_printf(&arena,
			    "interface wg1 { %s }\npeers nested = inner, 10.0.0.0/8\npeers inner = 10.1.1.4, fd00::/8\n"
			    "service nest = other, tcp 3, sctp 9\nservice other = tcp 1-2\n"
			    "interface use { expose nest to 10.1.1.4, nested }\n",
			    meanings[_i].text);
	expected = arena_printf(&arena, "interface wg1 drop\n%s\n", meanings[_i].meaning);
	text = meaning(resolve_text(text));
	ck_assert_str_eq(rendered(), "");
	text = strstr(text, "interface wg1 drop\n");
	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(text, expected);
}
END_TEST

/* ---- problems ---- */

static const struct {
	const char *text, *problems;
} errors[] = {
	/* addresses */
	{"peers a = 10.1.1.4/24, fd00::1/64, 10.0.0.0/33, fd00::/129, 10.0.0.0/255.0.0.0, 1.2.3, 1.2.3.256, 01.2.3.4, 1::2::3, "
	 "fe80::1%eth0, 10.0.0.0/, ::/+1",
	 "1:11 host-bits, 1:24 host-bits, 1:36 prefix-length, 1:49 prefix-length, 1:61 prefix-length, 1:81 bad-address, "
	 "1:88 bad-address, 1:99 bad-address, 1:109 bad-address, 1:118 bad-address, 1:132 prefix-length, 1:143 malformed-word"},
	/* names */
	{"peers a = b", "1:11 undefined-name"},
	{"peers a = any\npeers a = any", "2:7 duplicate-name"},
	{"peers a = any\nservice a = tcp 1", "2:9 duplicate-name"},
	{"peers any = 10.0.0.0/8", "1:7 duplicate-name"},
	{"peers a = b\npeers b = c\npeers c = a", "3:11 definition-cycle"},
	{"peers a = a", "1:11 definition-cycle"},
	{"service a = b, tcp 1\nservice b = a", "2:13 definition-cycle"},
	{"peers 22 = any\npeers \"a\" = any\npeers w+ = any", "1:7 wrong-kind, 2:7 wrong-kind, 3:7 wrong-kind"},
	/* the wrong kind of word */
	{"peers a = 22, 1-2, \"x\", w+, 6/minute, 3/4, s\nservice s = tcp 1",
	 "1:11 wrong-kind, 1:15 wrong-kind, 1:20 wrong-kind, 1:25 wrong-kind, 1:29 wrong-kind, 1:39 wrong-kind, 1:44 wrong-kind"},
	{"peers p = any\nservice s = p, any, 10.0.0.1, 22, tcp \"x\", tcp 10.0.0.1",
	 "2:13 wrong-kind, 2:16 wrong-kind, 2:21 wrong-kind, 2:31 wrong-kind, 2:39 wrong-kind, 2:48 wrong-kind"},
	/* ports */
	{"service s = tcp 65536, 0, 90-80, 1-99999, 99999999999999999999, 65535",
	 "1:17 port-out-of-range, 1:24 port-out-of-range, 1:27 range-reversed, 1:34 port-out-of-range, 1:43 port-out-of-range"},
	{"service s = tcp nosuchport, udp nosuchport", "1:17 unknown-port-name, 1:33 unknown-port-name"},
	{"service a = tcp 80, 90-100\nservice b = tcp 443, 95, udp 80\nservice c = tcp 1-80", "2:22 port-in-two-services, "
												 "3:17 port-in-two-services"},
	{"service a = tcp 80\nservice b = a, tcp 81", ""},
	/* interfaces */
	{"interface averyveryverylong, fifteen-bytes-x, sixteen-bytes-xx {}", "1:11 interface-name-length, 1:47 interface-name-length"},
	{"interface \"a b\", \"a/b\", \"a:b\", \"a+b\", \"\", \".\", \"..\", \"+\", \"\xc2\xa0\" {}",
	 "1:11 interface-name, 1:18 interface-name, 1:25 interface-name, 1:32 interface-name, 1:39 interface-name, "
	 "1:43 interface-name, 1:48 interface-name, 1:54 interface-name, 1:59 interface-name"},
	{"interface 10, 1-2, 10.0.0.1, 6/min {}", "1:11 wrong-kind, 1:15 wrong-kind, 1:20 wrong-kind, 1:30 wrong-kind"},
	{"interface a, a {}\ninterface wg1 {}\ninterface wg+ {}\ninterface wg12 {}",
	 "1:14 interface-twice, 3:11 interface-twice, 4:11 interface-twice"},
	{"interface a+ {}\ninterface ab+ {}\ninterface b {}", "2:11 interface-twice"},
	{"interface a+ {}\ninterface a {}", "2:11 interface-twice"},
	{"interface a {}\ninterface ab {}\ninterface b+ {}", ""},
	/* statements */
	{"interface a { forward from any via b to any via c }", "1:49 via-twice"},
	{"interface a, b { forward from any via a to any via c }", "1:52 via-twice"},
	{"interface a { otherwise drop\notherwise reject\notherwise drop }", "2:1 otherwise-twice, 3:1 otherwise-twice"},
	{"interface a { allow icmp nosuch, 256, 3/256, 255, packet-too-big, \"x\" from any }",
	 "1:26 icmp-type, 1:34 icmp-type, 1:39 icmp-type, 1:46 icmp-type, 1:51 icmp-type, 1:67 wrong-kind"},
	{"interface a { allow icmpv6 fragmentation-needed from any }", "1:28 icmp-type"},
	/* logs */
	{"interface a { otherwise drop log \"\"\n}\ninterface b { otherwise drop log \"123456789012345678901234567890\" }",
	 "1:34 log-prefix, 3:34 log-prefix"},
	{"interface a { otherwise drop log x limit 6 burst x }", "1:34 wrong-kind, 1:42 wrong-kind, 1:50 wrong-kind"},
	{"interface a { otherwise drop log \"x\" limit 0/day }\ninterface b { otherwise drop log \"x\" limit 10001/second }\n"
	 "interface c { otherwise drop log \"x\" limit 600001/minute }\ninterface d { otherwise drop log \"x\" limit 3/day burst 4 }\n"
	 "interface e { otherwise drop log \"x\" limit 1/hour burst 25 }\ninterface f { otherwise drop log \"x\" limit 6/minute burst 0 }\n"
	 "interface g { otherwise drop log \"x\" limit 1/second burst 10001 }\ninterface h { otherwise drop log \"x\" limit 6/min }\n"
	 "interface i { otherwise drop log \"x\" limit 99999999999999999999/day }",
	 "1:44 log-limit, 2:44 log-limit, 3:44 log-limit, 4:56 log-limit, 5:57 log-limit, 6:59 log-limit, 7:59 log-limit, "
	 "8:44 log-limit, 9:44 log-limit"},
	/* One error is one error: nothing follows from a definition that was not understood. */
	{"peers lan 10.0.0.0/8\ninterface a { expose tcp 1 to lan }", "1:11 syntax-error"},
	{"service s = tcp 1 2\ninterface a { expose s to any }", "1:19 syntax-error"},
	{"include \"/nonexistent/x\"\ninterface a { expose s to lan }", "1:9 file-unreadable"},
	{"interface a { expose s to $lan }\nservice s = tcp 1", "1:27 undefined-parameter"},
	/* comments that switch checks off */
	{"# peerwall: allow unused-name\npeers a = any\ninterface a {}", "2:7 unused-name"},
	{"# peerwall: allow host-bit, PW104, nosuch\n# peerwall: deny x\n# peerwall is a word\ninterface a {}",
	 "1:19 unknown-check, 1:36 unknown-check, 2:1 unknown-check"},
};

/* Most cases define what they do not use, and have no interface: that is not what they are about. */
static const char *problems_that_matter(void)
{
	struct strbuf out = STRBUF_EMPTY;
	char *text = arena_strdup(&arena, problems());

	for (char *rest = text, *part; (part = strsep(&rest, ","));) {
		part += *part == ' ';
		if (strstr(part, "no-interface") || strstr(part, "unused-name"))
			continue;
		strbuf_addf(&out, "%s%s", out.len ? ", " : "", part);
	}
	return strbuf_keep(&out, &arena);
}

START_TEST(locates_problems)
{
	const char *expected = errors[_i].problems;

	resolve_text(errors[_i].text);
	ck_assert_str_eq(strstr(expected, "unused-name") ? problems() : problems_that_matter(), expected);
}
END_TEST

START_TEST(shows_both_places_and_hints)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{"service s = ssh", "did you mean 'tcp ssh'?"},
		{"service s = domain", "/etc/services knows it"},
		{"service s = udp ssh", "there is one of tcp: tcp ssh"},
		{"service j = tcp 1\nservice s = tcp j", "defined here, is written without 'tcp'"},
		{"peers laptop = any\npeers a = lapotp", "did you mean 'laptop'?"},
		{"service jellyfin = tcp 1\nservice a = jelyfin", "did you mean 'jellyfin'?"},
		{"peers a = 10.1.1.4/24", "the network is 10.1.1.0/24, the one address is 10.1.1.4/32"},
		{"peers a = fd00::1/64", "did you mean 'fd00::/64'?"},
		{"peers a = 10.0.0.0/255.255.0.0", "did you mean '10.0.0.0/16'?"},
		{"service s = tcp 90-80", "did you mean '80-90'?"},
		{"interface a { allow icmp ecoh-request from any }", "did you mean 'echo-request'?"},
		{"interface a { allow icmp packet-too-big from any }", "it is one of icmpv6"},
		{"interface a { otherwise drop log \"x\" limit 3/min }", "did you mean '3/minute'?"},
		{"interface 10 {}", "did you mean '\"10\"'?"},
		{"peers a = any\npeers a = any", "t.pw:1:7: note: first defined here"},
		{"interface a {}\ninterface a {}", "t.pw:1:11: note: given here"},
		{"service a = tcp 1\nservice b = tcp 1", "t.pw:1:17: note: given to it here"},
		{"interface a { otherwise drop; otherwise drop }", "t.pw:1:15: note: first said here"},
		{"peers a = b\npeers b = a", "t.pw:1:11: note: a holds b"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		resolve_text(cases[i].text);
		ck_assert_msg(strstr(rendered(), cases[i].shown) != NULL, "%s:\n%s", cases[i].text, rendered());
	}
}
END_TEST

START_TEST(warns_of_what_is_unused)
{
	resolve_text("peers a = any\npeers b = a\nservice s = tcp 1\npeers c = any\ninterface i { expose tcp 2 to c }\n");
	ck_assert_str_eq(problems(), "2:7 unused-name, 3:9 unused-name");
	resolve_text("peers a = any\n");
	ck_assert_str_eq(problems(), "- no-interface, 1:7 unused-name");
	resolve_text("");
	ck_assert_str_eq(problems(), "- no-interface");
	/* Of a broken policy nobody knows. */
	resolve_text("peers a = any\ninterface i { expose tcp 2 t a }\n");
	ck_assert_str_eq(problems(), "2:28 syntax-error");
}
END_TEST

START_TEST(covers_the_line_and_the_next_statement)
{
	static const char text[] = "peers a = any # peerwall: allow PW104, unused-name\n" /* 0-50 */
				   "\n"
				   "# a comment\n"
				   "peers b = any\n"
				   "peers c = any\n"
				   "#peerwall:allow host-bits\n";
	const struct policy *policy = resolve_text(text);
	const struct suppression *suppression = policy->suppressions.data;
	uint32_t start = policy->source->start;

	ck_assert_uint_eq(policy->suppressions.len, 2);
	ck_assert_uint_eq(suppression->names.len, 2);
	ck_assert_str_eq(suppression->names.data[0], "PW104");
	ck_assert_str_eq(suppression->names.data[1], "unused-name");
	ck_assert_uint_eq(suppression->from - start, 0);
	ck_assert_uint_eq(suppression->to - start, (size_t)(strstr(text, "peers c") - text));
	ck_assert_uint_eq(suppression[1].to - start, sizeof text - 1);
}
END_TEST

/* ---- order ---- */

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16;
}

static void shuffle(const char **items, size_t count, unsigned *seed)
{
	for (size_t i = count; i-- > 1;) {
		size_t j = next_random(seed) % (i + 1);
		const char *kept = items[i];

		items[i] = items[j];
		items[j] = kept;
	}
}

START_TEST(order_has_no_meaning)
{
	const char *definitions[] = {"peers lan = net, laptop", "peers net = 10.1.1.0/24, fd00:1::/64", "peers laptop = 10.1.1.4, phone",
				     "peers phone = fd00:1::5", "service web = tcp 80, secure", "service secure = tcp 443, udp 443"};
	const char *statements[] = {"expose web to lan log \"a\"", "expose tcp 22 to laptop at 10.0.0.1", "allow ping from lan",
				    "allow icmp 3/4, 8 from phone, laptop", "forward from lan to lan", "otherwise reject log \"b\"",
				    "forward from laptop via eth0 to net secure"};
	const char *tests[] = {"lan can web", "phone cannot tcp 1", "laptop can ping", "net can tcp 22 at 10.0.0.1"};
	const char *expected = NULL;
	unsigned seed = 7;

	for (int round = 0; round < 200; round++) {
		const char *items[8], *block = "interface wg1 {\n", *test = "test {\n", *text = "", *found;

		shuffle(definitions, 6, &seed);
		shuffle(statements, 7, &seed);
		shuffle(tests, 4, &seed);
		for (int i = 0; i < 7; i++)
			block = arena_printf(&arena, "%s%s\n", block, statements[i]);
		for (int i = 0; i < 4; i++)
			test = arena_printf(&arena, "%s%s\n", test, tests[i]);
		memcpy(items, definitions, sizeof definitions);
		items[6] = arena_printf(&arena, "%s}", block);
		items[7] = arena_printf(&arena, "%s}", test);
		shuffle(items, 8, &seed);
		for (int i = 0; i < 8; i++)
			text = arena_printf(&arena, "%s%s\n", text, items[i]);
		found = meaning(resolve_text(text));
		ck_assert_str_eq(rendered(), "");
		if (!expected)
			expected = found;
		ck_assert_str_eq(found, expected);
	}
}
END_TEST

/* ---- size ---- */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

START_TEST(many_peers_are_quick)
{
	struct strbuf text = STRBUF_EMPTY;
	unsigned seed = 3;
	const struct policy *policy;
	double start;

	strbuf_adds(&text, "peers big = 10.0.0.1");
	for (int i = 0; i < 100000; i++)
		strbuf_addf(&text, ",\n%u.%u.%u.%u", 1 + next_random(&seed) % 220, next_random(&seed) % 256,
			    next_random(&seed) % 256, next_random(&seed) % 256);
	strbuf_adds(&text, "\ninterface wg1 {\n");
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&text, "expose tcp %d to big\n", i + 1);
	strbuf_adds(&text, "}\n");
	start = seconds();
	policy = resolve_text(strbuf_str(&text));
	ck_assert_double_lt(seconds() - start, 5); /* it takes a tenth of a second, sanitizers and all the rest aside */
	ck_assert_str_eq(rendered(), "");
	ck_assert_uint_gt(policy->definitions.data[0].peers.sets[FAMILY_IPV4].ranges.len, 90000);
	strbuf_free(&text);
}
END_TEST

START_TEST(nested_names_do_not_blow_up)
{
	struct strbuf text = STRBUF_EMPTY;
	const struct policy *policy;

	/* Twice the one before: 2^2000 addresses if anybody counted. Deeper than a stack would like, and backwards. */
	for (int i = 20000; i > 0; i--)
		strbuf_addf(&text, "peers a%d = a%d, a%d, 10.0.0.%d\n", i, i - 1, i - 1, i % 256);
	strbuf_adds(&text, "peers a0 = 10.0.0.1\ninterface wg1 { expose tcp 1 to a20000 }\n");
	policy = resolve_text(strbuf_str(&text));
	ck_assert_str_eq(rendered(), "");
	ck_assert_str_eq(meaning(policy), "interface wg1 drop\nexpose tcp:1 | from 10.0.0.0/24\n\n");
	strbuf_free(&text);
}
END_TEST

START_TEST(expansion_is_bounded)
{
	struct strbuf text = STRBUF_EMPTY;

	/* Each holds the one before and one more: n^2 / 2 ranges. */
	for (int i = 1; i < 20000; i++)
		strbuf_addf(&text, "peers a%d = a%d, 10.%d.%d.0\n", i, i - 1, i / 256, i % 256);
	strbuf_adds(&text, "peers a0 = 10.0.0.0\ninterface wg1 { expose tcp 1 to a19999 }\n");
	resolve_text(strbuf_str(&text));
	ck_assert_uint_eq(diags.errors, 1);
	ck_assert_ptr_nonnull(strstr(problems(), " expansion"));
	strbuf_free(&text);
}
END_TEST

/* ---- the services database ---- */

START_TEST(reads_services)
{
	static const char text[] = "# comment\nssh\t\t22/tcp\t\t# SSH\ndomain 53/tcp\ndomain 53/udp\n"
				   "http 80/tcp www www-http\nwww 81/tcp\nbad 99999/tcp\nbad2 x/tcp\nbad3\nother 7/dccp\nlast 9/sctp";
	struct services services;
	const struct services_entry *entry;

	services_parse(&services, text, sizeof text - 1, &arena);
	entry = services_find(&services, "domain", 6);
	ck_assert_ptr_nonnull(entry);
	ck_assert(entry->known[PROTOCOL_TCP] && entry->known[PROTOCOL_UDP] && !entry->known[PROTOCOL_SCTP]);
	ck_assert_uint_eq(entry->ports[PROTOCOL_UDP], 53);
	/* The first line counts. */
	ck_assert_uint_eq(services_find(&services, "www", 3)->ports[PROTOCOL_TCP], 80);
	ck_assert(services_find(&services, "last", 4)->known[PROTOCOL_SCTP]);
	ck_assert_ptr_null(services_find(&services, "bad", 3));
	ck_assert_ptr_null(services_find(&services, "bad2", 4));
	ck_assert_ptr_null(services_find(&services, "bad3", 4));
	ck_assert_ptr_null(services_find(&services, "other", 5));
	ck_assert_ptr_null(services_find(&services, "#", 1));
	ck_assert_int_lt(services_load(&services, "/nonexistent", &arena), 0);
	ck_assert_ptr_null(services_find(&services, "ssh", 3));
}
END_TEST

START_TEST(loads_from_files)
{
	struct policy policy;
	char path[] = "/tmp/peerwall-test.XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, flagship, sizeof flagship - 1), sizeof flagship - 1);
	close(fd);
	ck_assert(policy_load(&policy, &sources, path, NULL, &arena, &diags));
	ck_assert_uint_eq(policy.interfaces.len, 1);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert(!policy_load(&policy, &sources, path, NULL, &arena, &diags));
	ck_assert_str_eq(problems(), "- file-unreadable");
	ck_assert_uint_eq(policy.interfaces.len, 0);
}
END_TEST

START_TEST(patterns_overlap)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} cases[] = {
		{"wg1", "wg1", true},   {"wg1", "wg2", false},  {"wg+", "wg1", true},  {"wg+", "wg", true},    {"wg+", "w", false},
		{"wg+", "w+", true},    {"wg1+", "wg2+", false}, {"wg1", "wg12", false}, {"wg1+", "wg12", true}, {"a+", "a+", true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert_int_eq(interface_names_overlap(cases[i].a, cases[i].b), cases[i].overlap);
		ck_assert_int_eq(interface_names_overlap(cases[i].b, cases[i].a), cases[i].overlap);
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("resolve");
	TCase *tests = tcase_create("resolve");

	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, language_setup, texts_teardown);
	tcase_add_test(tests, resolves_the_flagship);
	tcase_add_loop_test(tests, works_out_sets, 0, (int)(sizeof meanings / sizeof *meanings));
	tcase_add_loop_test(tests, locates_problems, 0, (int)(sizeof errors / sizeof *errors));
	tcase_add_test(tests, shows_both_places_and_hints);
	tcase_add_test(tests, warns_of_what_is_unused);
	tcase_add_test(tests, covers_the_line_and_the_next_statement);
	tcase_add_test(tests, order_has_no_meaning);
	tcase_add_test(tests, many_peers_are_quick);
	tcase_add_test(tests, nested_names_do_not_blow_up);
	tcase_add_test(tests, expansion_is_bounded);
	tcase_add_test(tests, reads_services);
	tcase_add_test(tests, loads_from_files);
	tcase_add_test(tests, patterns_overlap);
	suite_add_tcase(suite, tests);
	return suite;
}
