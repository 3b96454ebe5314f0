#include "unit.h"

#include <peerwall/checks.h>
#include <peerwall/resolve.h>
#include <peerwall/snapshot.h>
#include <peerwall/strbuf.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

struct fixture {
	struct arena arena;
	struct sources sources;
	struct diags diags;
	struct check_input input;
	struct check_settings settings;
	struct suppressed_list suppressed;
};

static void fixture_init(struct fixture *fixture)
{
	*fixture = (struct fixture){.arena = ARENA_EMPTY};
	sources_init(&fixture->sources, &fixture->arena);
	diags_init(&fixture->diags, &fixture->arena);
	check_settings_init(&fixture->settings);
	fixture->input.sources = &fixture->sources;
	fixture->input.suppressed = &fixture->suppressed;
}

static void fixture_free(struct fixture *fixture)
{
	arena_free(&fixture->arena);
}

static bool add_policy(struct fixture *fixture, const char *text)
{
	struct source *source = sources_add(&fixture->sources, "test.pw", text, strlen(text));
	struct policy *policy = arena_zalloc(&fixture->arena, sizeof *policy);
	struct ast ast;
	bool parsed = parse_policy(&ast, &fixture->sources, source, NULL, &fixture->arena, &fixture->diags);
	bool resolved = resolve_policy(policy, &ast, &fixture->arena, &fixture->diags);

	vec_push(&fixture->arena, &fixture->input.policies, policy);
	return parsed && resolved;
}

static void add_snapshot(struct fixture *fixture, enum family family, const char *text)
{
	struct source *source = sources_add(&fixture->sources, "host", text, strlen(text));
	struct ruleset *ruleset = arena_zalloc(&fixture->arena, sizeof *ruleset);

	ck_assert(snapshot_read(ruleset, family, source, &fixture->arena, &fixture->diags));
	vec_push(&fixture->arena, &fixture->input.snapshots,
		 (struct check_snapshot){ruleset, source, check_guess_backend(source), false});
}

static size_t count_code(const struct fixture *fixture, enum diag_code code)
{
	size_t count = 0;

	vec_each(diag, &fixture->diags.all)
		count += (*diag)->code == code;
	return count;
}

static void run(struct fixture *fixture)
{
	checks_run(&fixture->input, &fixture->settings, &fixture->diags);
}

/* ---- each check by its name ---- */

#define LAN "peers lan = 10.1.1.0/24, fd00:1::/64\n"
#define WG1(body) LAN "interface wg1 {\n" body "}\n"
#define NAT(rules) \
	"*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n-A PREROUTING -j DOCKER\n" rules "COMMIT\n"
#define FILTER(chains, rules) \
	"*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n" chains rules "COMMIT\n"
#define RAW(rules) "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n" rules "COMMIT\n"
#define MANGLE(chains, rules) \
	"*mangle\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n" chains rules "COMMIT\n"
#define DNAT(port, to) \
	"-A DOCKER -p tcp -m tcp --dport " port " -j DNAT --to-destination 172.18.0.2:" to "\n"
#define JUMP "-A PREROUTING -i wg1 -m comment --comment \"peerwall wg1\" -j PW-wg1\n"

struct row {
	const char *check;
	const char *policy;
	const char *snapshot; /* IPv4; NULL: none */
	size_t findings;
};

static const struct row rows[] = {
	{"missing-permission", "interface wg1 {\n}\n", NULL, 1},
	{"missing-permission", WG1("allow ping from lan\n"), NULL, 0},
	{"loopback-interface", LAN "interface l+ {\nexpose tcp 22 to lan\n}\n", NULL, 1},
	{"loopback-interface", LAN "interface lo0 {\nexpose tcp 22 to lan\n}\n", NULL, 0},
	{"same-peers", "peers a = 10.1.1.4\npeers b = 10.1.1.4/32\npeers c = 10.1.1.4\n", NULL, 2},
	{"same-peers", "peers a = 10.1.1.4\npeers b = a\npeers c = b, b\n", NULL, 0},
	{"same-peers", "peers c = b\npeers b = a\npeers a = 10.1.1.4\npeers aa = 10.1.1.4\n", NULL, 1},
	{"broad-prefix", WG1("expose tcp 22 to 128.0.0.0/1\nexpose tcp 23 to 128.0.0.0/1\n"), NULL, 1},
	{"broad-prefix", WG1("expose tcp 22 to 0.0.0.0/0, 10.0.0.0/8\n"), NULL, 0},
	{"exposed-to-any", WG1("expose tcp 22 to 0.0.0.0/1, 128.0.0.0/1\n"), NULL, 1},
	{"ipv6-forgotten", WG1("expose tcp 22 to 10.1.1.4\nexpose tcp 23 to 10.1.1.4\n"), NULL, 1},
	{"ipv6-forgotten", "interface wg1 {\nexpose tcp 22 to 10.1.1.4\n}\n", NULL, 0},
	{"never-matches", WG1("expose tcp 22 to 10.1.1.4 at fd00::1\n"), NULL, 1},
	{"never-matches", WG1("expose tcp 22 to lan at fd00::1\n"), NULL, 0},
	{"redundant-permission", WG1("expose tcp 22 to 10.1.1.4\nexpose tcp 22 to lan\n"), NULL, 1},
	{"redundant-permission", WG1("expose tcp 22 to lan\nexpose tcp 22 to lan\n"), NULL, 1},
	/* covered by two together */
	{"redundant-permission",
	 WG1("expose tcp 22 to 10.1.1.0/24\nexpose tcp 22 to 10.1.3.0/24\nexpose tcp 22 to 10.1.1.4, 10.1.3.4\n"),
	 NULL, 1},
	{"redundant-permission", WG1("expose tcp 22 to 10.1.1.4, 10.2.1.4\nexpose tcp 22 to lan\n"), NULL, 0},
	{"redundant-permission", WG1("expose tcp 22 to lan\nforward from lan to lan tcp 22\n"), NULL, 0},
	/* two blocks */
	{"redundant-permission",
	 WG1("expose tcp 22 to lan\n") "interface wg2 {\nexpose tcp 22 to lan\n}\n", NULL, 0},
	{"docker-api-exposed", WG1("expose tcp 2375 to lan\n"), NULL, 1},
	{"sensitive-port", WG1("expose tcp 1-65535 to lan\n"), NULL, 0},
	{"container-port", WG1("expose tcp 80 to lan\n"), NAT(DNAT("8080", "80")), 1},
	{"container-port", WG1("expose tcp 80 to lan\n"), NAT(DNAT("8080", "80") DNAT("80", "8000")), 0},
	{"container-port", WG1("expose tcp 80 to lan\n"), NAT(""), 0},
	{"container-port", WG1("expose udp 80 to lan\n"), NAT(DNAT("8080", "80")), 0},
	/* a rule that sends everything away may answer any port */
	{"container-port", WG1("expose tcp 80 to lan\n"),
	 NAT(DNAT("8080", "80") "-A DOCKER -j DNAT --to-destination 172.18.0.9\n"), 0},
	{"port-not-published", WG1("expose tcp 8069 to lan\n"), NAT(DNAT("8096", "80")), 1},
	{"port-not-published", WG1("expose tcp 8097 to lan\n"), NAT(DNAT("8096", "80")), 1},
	{"port-not-published", WG1("expose udp 8096 to lan\n"), NAT(DNAT("8096", "80")), 1},
	{"port-not-published", WG1("expose tcp 8098 to lan\n"), NAT(DNAT("8096", "80")), 0},
	{"port-not-published", WG1("expose tcp 8090-8099 to lan\n"), NAT(DNAT("8096", "80")), 0},
	{"bypassed-input-rule", WG1("allow ping from lan\n"),
	 NAT(DNAT("873", "873")) FILTER("", "-A INPUT -p tcp -m tcp --dport 800:900 -j REJECT\n"), 1},
	{"bypassed-input-rule", WG1("allow ping from lan\n"),
	 NAT(DNAT("873", "873")) FILTER("", "-A INPUT -p tcp -m tcp --dport 22 -j REJECT\n"), 0},
	/* all of the interface, as hand-written scripts have it; but not the host's last word */
	{"bypassed-input-rule", WG1("allow ping from lan\n"),
	 NAT(DNAT("873", "873")) FILTER("", "-A INPUT -i wg1 -j REJECT\n-A INPUT -i wg1 -p udp -j DROP\n"), 1},
	{"bypassed-input-rule", WG1("allow ping from lan\n"),
	 NAT(DNAT("873", "873")) FILTER("", "-A INPUT -j DROP\n-A INPUT -i eth0 -j DROP\n"), 0},
	{"docker-direct-drop", WG1("forward from lan to 172.18.0.2 via br0\n"),
	 RAW("-A PREROUTING -d 172.18.0.2/32 ! -i br0 -j DROP\n"), 1},
	{"docker-direct-drop", WG1("forward from lan to 172.18.0.3 via br0\n"),
	 RAW("-A PREROUTING -d 172.18.0.2/32 ! -i br0 -j DROP\n"), 0},
	{"chain-name-taken", WG1("allow ping from lan\n"),
	 FILTER(":PW-wg1 - [0:0]\n", "-A INPUT -j PW-wg1\n"), 1},
	{"chain-name-taken", WG1("allow ping from lan\n"), MANGLE(":PW-wg1 - [0:0]\n", JUMP), 0},
	/* our comment for another interface does not make it ours */
	{"chain-name-taken", WG1("allow ping from lan\n"),
	 MANGLE(":PW-wg1 - [0:0]\n", "-A PREROUTING -m comment --comment \"peerwall wg2\" -j PW-wg1\n"), 1},
	{"duplicate-jump", WG1("allow ping from lan\n"), MANGLE(":PW-wg1 - [0:0]\n", JUMP JUMP JUMP), 2},
	{"orphan-chain", WG1("allow ping from lan\n"), MANGLE(":PW-wg1 - [0:0]\n", ""), 1},
	{"overtaken-jump", WG1("allow ping from lan\n"),
	 MANGLE(":PW-wg1 - [0:0]\n", "-A PREROUTING -j ACCEPT\n" JUMP), 1},
	{"overtaken-jump", WG1("allow ping from lan\n"),
	 MANGLE(":PW-wg1 - [0:0]\n", JUMP "-A PREROUTING -j ACCEPT\n"), 0},
	{"overtaken-jump", WG1("allow ping from lan\n"),
	 MANGLE(":PW-wg1 - [0:0]\n", "-A PREROUTING ! -i wg1 -j ACCEPT\n" JUMP), 0},
	{"private-blanket", WG1("expose tcp 22 to lan\n"), FILTER("", "-A INPUT -s 10.0.0.0/8 -j ACCEPT\n"), 1},
	{"private-blanket", WG1("expose tcp 22 to lan\n"), FILTER("", "-A INPUT -s 10.0.0.0/7 -j ACCEPT\n"), 1},
	{"private-blanket", WG1("expose tcp 22 to lan\n"), FILTER("", "-A INPUT -s 172.16.0.0/12 -j ACCEPT\n"), 0},
	{"private-blanket", WG1("expose tcp 22 to lan\n"), FILTER("", "-A INPUT ! -s 10.0.0.0/8 -j ACCEPT\n"), 0},
	{"private-blanket", WG1("expose tcp 22 to lan\n"), FILTER("", "-A OUTPUT -s 10.0.0.0/8 -j ACCEPT\n"), 0},
	{"dead-rule", WG1("allow ping from lan\n"),
	 FILTER(":a - [0:0]\n", "-A OUTPUT -j a\n-A a -i wg1 -j DROP\n"), 1},
	{"dead-rule", WG1("allow ping from lan\n"),
	 FILTER(":a - [0:0]\n", "-A OUTPUT -j a\n-A INPUT -j a\n-A a -i wg1 -j DROP\n"), 0},
	{"unreachable-rule", WG1("allow ping from lan\n"),
	 FILTER("", "-A INPUT -j DROP\n-A INPUT -p tcp -j ACCEPT\n-A INPUT -p udp -j ACCEPT\n"), 1},
	{"unreachable-rule", WG1("allow ping from lan\n"),
	 FILTER("", "-A INPUT -j LOG\n-A INPUT -p tcp -j DROP\n-A INPUT -j DROP\n"), 0},
	{"notrack", WG1("allow ping from lan\n"), RAW("-A PREROUTING -j CT --notrack\n"), 1},
	{"notrack", WG1("allow ping from lan\n"), RAW("-A PREROUTING -i eth+ -j CT --notrack\n"), 0},
	{"foreign-drop", WG1("expose tcp 22 to lan\n"), RAW("-A PREROUTING -i wg+ -p tcp -j DROP\n"), 1},
	{"foreign-drop", WG1("expose tcp 22 to lan\n"), RAW("-A PREROUTING -i wg+ -p udp -j DROP\n"), 0},
	{"unknown-interface", WG1("expose tcp 22 to lan\n"), FILTER("", "-A INPUT -i wg0 -j ACCEPT\n"), 1},
	{"unknown-interface", WG1("expose tcp 22 to lan\n"), FILTER("", "-A INPUT -i w+ -j ACCEPT\n"), 0},
};

START_TEST(each_check)
{
	const struct row *row = &rows[_i];
	struct fixture fixture;
	enum diag_code code;

	ck_assert(diag_code_find(row->check, strlen(row->check), &code));
	fixture_init(&fixture);
	ck_assert(add_policy(&fixture, row->policy));
	if (row->snapshot)
		add_snapshot(&fixture, FAMILY_IPV4, row->snapshot);
	check_settings_switch(&fixture.settings, "no-all");
	check_settings_switch(&fixture.settings, row->check);
	run(&fixture);
	ck_assert_msg(count_code(&fixture, code) == row->findings, "%s, row %d: %zu findings, not %zu", row->check, _i,
		      count_code(&fixture, code), row->findings);
	fixture_free(&fixture);
}
END_TEST

/* ---- the table and the settings ---- */

START_TEST(table)
{
	size_t count;
	const struct check *checks = checks_table(&count);

	ck_assert_uint_gt(count, 30);
	for (size_t i = 0; i < count; i++) {
		const struct diag_code_info *info = diag_code_info(checks[i].code);

		ck_assert(strncmp(info->number, "PW3", 3) == 0 || strncmp(info->number, "PW6", 3) == 0);
		ck_assert_int_ne(checks[i].severity, SEVERITY_OFF);
		if (info->severity != SEVERITY_OFF)
			ck_assert_int_eq(info->severity, checks[i].severity);
		if (i)
			ck_assert_int_lt(checks[i - 1].code, checks[i].code);
		ck_assert_ptr_eq(check_find(checks[i].code), &checks[i]);
	}
	ck_assert_ptr_null(check_find(CODE_SYNTAX));
}
END_TEST

START_TEST(switches)
{
	struct check_settings settings;

	check_settings_init(&settings);
	ck_assert_int_eq(settings.severity[CODE_SENSITIVE_PORT], SEVERITY_OFF);
	ck_assert_int_eq(check_settings_switch(&settings, "sensitive-port"), CHECK_SETTING_OK);
	ck_assert_int_eq(settings.severity[CODE_SENSITIVE_PORT], SEVERITY_NOTE);
	ck_assert_int_eq(check_settings_switch(&settings, "no-PW322"), CHECK_SETTING_OK);
	ck_assert_int_eq(settings.severity[CODE_SENSITIVE_PORT], SEVERITY_OFF);
	ck_assert_int_eq(check_settings_switch(&settings, "all"), CHECK_SETTING_OK);
	ck_assert_int_eq(settings.severity[CODE_SENSITIVE_PORT], SEVERITY_NOTE);
	ck_assert_int_eq(check_settings_switch(&settings, "no-all"), CHECK_SETTING_OK);
	ck_assert_int_eq(settings.severity[CODE_NOTRACK], SEVERITY_OFF);
	ck_assert_int_eq(settings.severity[CODE_BOTH_BACKENDS], SEVERITY_ERROR);
	ck_assert_int_eq(check_settings_switch(&settings, "no-unused-name"), CHECK_SETTING_OK);
	ck_assert_int_eq(check_settings_switch(&settings, "no-syntax-error"), CHECK_SETTING_FIXED);
	ck_assert_int_eq(check_settings_switch(&settings, "no-chain-name-taken"), CHECK_SETTING_FIXED);
	ck_assert_int_eq(check_settings_switch(&settings, "syntax-error"), CHECK_SETTING_OK);
	ck_assert_int_eq(check_settings_switch(&settings, ""), CHECK_SETTING_UNKNOWN);
	ck_assert_int_eq(check_settings_switch(&settings, "no-"), CHECK_SETTING_UNKNOWN);
	ck_assert_int_eq(check_settings_switch(&settings, "no-no-notrack"), CHECK_SETTING_UNKNOWN);
	ck_assert_int_eq(check_settings_error(&settings, "notrack"), CHECK_SETTING_OK);
	ck_assert_int_eq(settings.severity[CODE_NOTRACK], SEVERITY_ERROR);
	ck_assert_int_eq(check_settings_error(&settings, "no-notrack"), CHECK_SETTING_UNKNOWN);
	ck_assert_str_eq(check_settings_nearest("no-notrak"), "notrack");
}
END_TEST

START_TEST(errors_and_result)
{
	struct fixture fixture;

	fixture_init(&fixture);
	ck_assert(add_policy(&fixture, WG1("expose tcp 2375 to lan\n")));
	ck_assert(checks_run(&fixture.input, &fixture.settings, &fixture.diags));
	ck_assert_uint_eq(fixture.diags.warnings, 1);
	fixture_free(&fixture);

	fixture_init(&fixture);
	ck_assert(add_policy(&fixture, WG1("expose tcp 2375 to lan\n")));
	check_settings_error(&fixture.settings, "all");
	ck_assert(!checks_run(&fixture.input, &fixture.settings, &fixture.diags));
	ck_assert_uint_eq(fixture.diags.errors, 1);
	ck_assert_uint_eq(fixture.diags.warnings, 0);
	ck_assert(!checks_only_conflicts(&fixture.diags));
	fixture_free(&fixture);
}
END_TEST

/* What the language's own stages warned of obeys the switches, too. */
START_TEST(other_warnings)
{
	struct fixture fixture;

	fixture_init(&fixture);
	ck_assert(add_policy(&fixture, WG1("allow ping from 10.1.1.4\n")));
	ck_assert_uint_eq(fixture.diags.warnings, 1);
	check_settings_switch(&fixture.settings, "no-unused-name");
	run(&fixture);
	ck_assert_uint_eq(fixture.diags.all.len, 0);
	ck_assert_uint_eq(fixture.diags.warnings, 0);
	fixture_free(&fixture);
}
END_TEST

START_TEST(blind_after_errors)
{
	struct fixture fixture;

	fixture_init(&fixture);
	ck_assert(!add_policy(&fixture, WG1("expose tcp 2375 to lan\nexpose tcp 22 to nobody\n")));
	run(&fixture);
	ck_assert_uint_eq(count_code(&fixture, CODE_DOCKER_API_EXPOSED), 0);
	ck_assert_uint_eq(fixture.diags.errors, 1);
	fixture_free(&fixture);
}
END_TEST

START_TEST(suppressions)
{
	struct fixture fixture;

	fixture_init(&fixture);
	ck_assert(add_policy(&fixture, WG1("# peerwall: allow PW321\n"
					   "# peerwall: allow large-port-range\n"
					   "# peerwall: allow exposed-to-any\n"
					   "# peerwall: allow container-port\n"
					   "# a comment for people\n"
					   "expose tcp 1-65535 to lan\n"
					   "expose tcp 2375 to 10.1.1.9, fd00:1::9\n")));
	run(&fixture);
	/* the second statement's, not the first's */
	ck_assert_uint_eq(count_code(&fixture, CODE_DOCKER_API_EXPOSED), 1);
	ck_assert_uint_eq(count_code(&fixture, CODE_LARGE_PORT_RANGE), 0);
	/* exposed-to-any ran and found nothing; container-port did not run without a snapshot */
	ck_assert_uint_eq(count_code(&fixture, CODE_USELESS_SUPPRESSION), 1);
	ck_assert_uint_eq(fixture.suppressed.items.len, 2);
	fixture_free(&fixture);
}
END_TEST

/* A comment at either of a finding's places is enough. */
START_TEST(suppression_at_label)
{
	struct fixture fixture;

	fixture_init(&fixture);
	ck_assert(add_policy(&fixture, WG1("expose tcp 80 to lan # peerwall: allow chain-name-taken, container-port\n")));
	add_snapshot(&fixture, FAMILY_IPV4, NAT(DNAT("8080", "80")));
	run(&fixture);
	ck_assert_uint_eq(count_code(&fixture, CODE_CONTAINER_PORT), 0);
	ck_assert_uint_eq(fixture.suppressed.items.len, 1);
	fixture_free(&fixture);
}
END_TEST

START_TEST(conflicts)
{
	struct fixture fixture;

	fixture_init(&fixture);
	ck_assert(add_policy(&fixture, WG1("expose tcp 22 to lan # peerwall: allow chain-name-taken\n")));
	add_snapshot(&fixture, FAMILY_IPV4, FILTER(":PW-wg1 - [0:0]\n", "-A INPUT -j PW-wg1\n"));
	run(&fixture);
	ck_assert_uint_eq(count_code(&fixture, CODE_CHAIN_NAME_TAKEN), 1);
	ck_assert(checks_only_conflicts(&fixture.diags));
	fixture_free(&fixture);
}
END_TEST

START_TEST(claims)
{
	static const struct {
		const char *first, *second;
		size_t findings;
	} cases[] = {
		{"wg1", "wg1", 1}, {"wg1", "wg2", 0}, {"wg1", "wg10", 0},     {"wg+", "wg10", 1},
		{"wg10", "wg+", 1}, {"wg+", "wg1+", 1}, {"w+", "eth0, wg1, w", 2},
		{"wg", "wg+", 1},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fixture fixture;
		char text[256];

		fixture_init(&fixture);
		snprintf(text, sizeof text, LAN "interface %s {\nexpose tcp 22 to lan\n}\n", cases[i].first);
		ck_assert(add_policy(&fixture, text));
		snprintf(text, sizeof text, LAN "interface %s {\nexpose tcp 22 to lan\n}\n", cases[i].second);
		ck_assert(add_policy(&fixture, text));
		run(&fixture);
		ck_assert_msg(count_code(&fixture, CODE_INTERFACE_CLAIMED_TWICE) == cases[i].findings, "case %zu", i);
		fixture_free(&fixture);
	}
}
END_TEST

START_TEST(backends)
{
	static const struct {
		const char *header;
		enum check_backend backend;
	} cases[] = {
		{"# Generated by iptables-save v1.8.9 on Mon Nov 23 16:10:48 2026\n", CHECK_BACKEND_LEGACY},
		{"# Generated by iptables-nft-save v1.8.9 (nf_tables) on Mon\n", CHECK_BACKEND_NFT},
		{"# Generated by ip6tables-save v1.8.10 (nf_tables) on Mon\n", CHECK_BACKEND_NFT},
		{"# Generated by xtables-save v1.8.2 on Mon\n", CHECK_BACKEND_NFT},
		{"# Generated by iptables-save v1.4.21 on Mon\n", CHECK_BACKEND_LEGACY},
		{"# Generated by iptables-save v1.8.4 on Mon\n", CHECK_BACKEND_UNKNOWN},
		{"# a word first\n\n# Generated by iptables-save v1.4.21 on Mon\n", CHECK_BACKEND_LEGACY},
		{"*filter\n# Generated by iptables-save v1.4.21 on Mon\n", CHECK_BACKEND_UNKNOWN},
		{"# Generated by iptables-save", CHECK_BACKEND_UNKNOWN},
		{"# Generated by webmin\n", CHECK_BACKEND_UNKNOWN},
		{"", CHECK_BACKEND_UNKNOWN},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct source source = {.text = cases[i].header, .size = strlen(cases[i].header)};

		ck_assert_msg(check_guess_backend(&source) == cases[i].backend, "%s", cases[i].header);
	}
}
END_TEST

/* ---- costs ---- */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double time_checks(unsigned size)
{
	struct strbuf policy = STRBUF_EMPTY, snapshot = STRBUF_EMPTY;
	struct fixture fixture;
	double began;

	fixture_init(&fixture);
	strbuf_adds(&policy, "interface wg1 {\n");
	for (unsigned i = 0; i < size; i++)
		strbuf_addf(&policy, "expose tcp %u to 10.%u.%u.0/24, 10.%u.%u.0/25\n", i % 60000 + 1, i >> 8 & 255, i & 255,
			    i >> 8 & 255, (i + 1) & 255);
	strbuf_adds(&policy, "}\n");
	strbuf_adds(&snapshot, "*nat\n:PREROUTING ACCEPT [0:0]\n");
	for (unsigned i = 0; i < size; i++)
		strbuf_addf(&snapshot, "-A PREROUTING -p tcp -m tcp --dport %u -j DNAT --to-destination 172.18.0.2:80\n",
			    i % 60000 + 2);
	strbuf_adds(&snapshot, "COMMIT\n*filter\n:INPUT ACCEPT [0:0]\n");
	for (unsigned i = 0; i < size; i++)
		strbuf_addf(&snapshot, "-A INPUT -i wg1 -p tcp -m tcp --dport %u -j DROP\n", i % 60000 + 1);
	strbuf_adds(&snapshot, "COMMIT\n");
	ck_assert(add_policy(&fixture, strbuf_str(&policy)));
	add_snapshot(&fixture, FAMILY_IPV4, strbuf_str(&snapshot));
	check_settings_switch(&fixture.settings, "all");
	began = seconds();
	run(&fixture);
	began = seconds() - began;
	strbuf_free(&policy);
	strbuf_free(&snapshot);
	fixture_free(&fixture);
	return began;
}

/* Ten times the input may take twenty times as long, and a little for noise; a square would take a hundred. */
START_TEST(cost)
{
	double small = time_checks(2000), large = time_checks(20000);

	ck_assert_msg(large < 30 * small + 0.2, "2000: %.3f s, 20000: %.3f s", small, large);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("checks");
	TCase *all = tcase_create("all");

	tcase_set_timeout(all, 60);
	tcase_add_loop_test(all, each_check, 0, (int)(sizeof rows / sizeof *rows));
	tcase_add_test(all, table);
	tcase_add_test(all, switches);
	tcase_add_test(all, errors_and_result);
	tcase_add_test(all, other_warnings);
	tcase_add_test(all, blind_after_errors);
	tcase_add_test(all, suppressions);
	tcase_add_test(all, suppression_at_label);
	tcase_add_test(all, conflicts);
	tcase_add_test(all, claims);
	tcase_add_test(all, backends);
	tcase_add_test(all, cost);
	suite_add_tcase(suite, all);
	return suite;
}
