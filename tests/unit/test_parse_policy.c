#include "unit.h"

#include "language.h"

#include <unistd.h>

/* ---- trees ---- */

static const char *dump(const struct ast *ast)
{
	struct strbuf out = STRBUF_EMPTY;

	ast_dump(&out, ast);
	return strbuf_keep(&out, &arena);
}

static const char *format(const struct ast *ast)
{
	struct strbuf out = STRBUF_EMPTY;

	ast_format(&out, ast);
	return strbuf_keep(&out, &arena);
}

static const struct {
	const char *text, *tree;
} trees[] = {
	{"", ""},
	{"\n\n;;\n;", ""},
	{"# only a comment", ""},
	{"peers lan = 10.1.1.0/24, fd00:1::/64", "(peers (name lan) (words 10.1.1.0/24 fd00:1::/64))\n"},
	{"peers a = b; peers b = any\r\n", "(peers (name a) (words b))\n(peers (name b) (words any))\n"},
	{"peers a =\n10.0.0.1,\n\n# between\n10.0.0.2\n", "(peers (name a) (words 10.0.0.1 10.0.0.2))\n"},
	{"service s = tcp 80, 443, udp 60000-61000, tcp ssh, other",
	 "(service (name s) (ports (tcp 80) (443) (udp 60000-61000) (tcp ssh) (other)))\n"},
	{"service s = sctp 9", "(service (name s) (ports (sctp 9)))\n"},
	{"interface wg1 {}", "(interface (words wg1))\n"},
	{"interface wg1, \"6to4\", br+ {\n}\n", "(interface (words wg1 \"6to4\" br+))\n"},
	{"interface wg1 { expose a, tcp 22 to lan, 10.0.0.1 at 10.0.0.2 log \"x\" limit 6/minute burst 3 }",
	 "(interface (words wg1)\n  (expose (to lan 10.0.0.1) (at 10.0.0.2) (ports (a) (tcp 22)) (log \"x\") (limit 6/minute) "
	 "(burst 3)))\n"},
	{"interface wg1 { allow ping from any; allow icmp 3/4, ping from any; allow icmpv6 packet-too-big from any log \"x\" }",
	 "(interface (words wg1)\n  (allow ping (from any))\n  (allow icmp (types 3/4 ping) (from any))\n"
	 "  (allow icmpv6 (types packet-too-big) (from any) (log \"x\")))\n"},
	{"interface wg1 { forward from a, b via eth0 to c, d tcp 1, s log \"x\"\nforward from a to b via \"e f\"\n}",
	 "(interface (words wg1)\n  (forward (from a b) (via eth0) (to c d) (ports (tcp 1) (s)) (log \"x\"))\n"
	 "  (forward (from a) (to b) (via \"e f\")))\n"},
	{"interface wg1 { otherwise reject log \"x\\\"\\\\y\" limit 1/day }",
	 "(interface (words wg1)\n  (otherwise (refusal reject) (log \"x\\\"\\\\y\") (limit 1/day)))\n"},
	{"interface wg1 # c\n\n# own\n{\n}\ntest\n{ a can s }", "(interface (words wg1))\n(test\n  (assertion can (from a) (ports (s))))\n"},
	{"test { laptop can tcp 22; lan cannot tcp 873\nlan can ping; 10.0.0.1, b cannot s at 172.18.0.2 }",
	 "(test\n  (assertion can (from laptop) (ports (tcp 22)))\n  (assertion cannot (from lan) (ports (tcp 873)))\n"
	 "  (assertion can ping (from lan))\n  (assertion cannot (from 10.0.0.1 b) (at 172.18.0.2) (ports (s))))\n"},
};

START_TEST(builds_trees)
{
	const struct ast *ast = parse_text(trees[_i].text);

	ck_assert_str_eq(rendered(), "");
	ck_assert_str_eq(dump(ast), trees[_i].tree);
}
END_TEST

/* ---- errors ---- */

static const struct {
	const char *text, *problems;
} errors[] = {
	{"nonsense", "1:1 syntax-error"},
	{"peers", "1:6 syntax-error"},
	{"peers a", "1:8 syntax-error"},
	{"peers a =", "1:10 syntax-error"},
	{"peers a = 10.0.0.1,", "1:20 syntax-error"},
	{"peers a = 10.0.0.1 10.0.0.2\npeers b = any", "1:20 syntax-error"},
	{"peers to = any", "1:7 syntax-error"},
	/* The comma made the next line part of it; nothing of that line is lost. */
	{"peers a = 10.0.0.1,\ninterface wg1 { bad }", "2:1 syntax-error, 2:17 syntax-error"},
	/* Each broken statement is one error, and the good ones between them are read. */
	{"peers a any\nservice s tcp 1\ninterface wg1 {\nexpose\nallow ping\nforward to\notherwise\nexpose tcp 1 to any\n}\n",
	 "1:9 syntax-error, 2:11 syntax-error, 4:7 syntax-error, 5:11 syntax-error, 6:9 syntax-error, 7:10 syntax-error"},
	/* A mistyped keyword before a block costs nothing of the block. */
	{"interfce wg1 { expose tcp 1 too any; allow ping from any }", "1:1 syntax-error, 1:29 syntax-error"},
	{"foo wg1 { a; b; { c } d }\npeers", "1:1 syntax-error, 2:6 syntax-error"},
	{"interface\n{ expose }\npeers", "2:1 syntax-error, 3:6 syntax-error"},
	{"interface a b\n{ expose }\npeers", "1:13 syntax-error, 3:6 syntax-error"},
	{"interface a\npeers b\n", "1:12 syntax-error, 2:8 syntax-error"},
	{"interface { expose }\npeers", "1:11 syntax-error, 2:6 syntax-error"},
	{"interface wg1 {\nexpose tcp 1 to any\npeers a = any\ninterface wg2 {}\n", "3:1 syntax-error"},
	{"interface wg1 {\ninterface wg2 {}\n}\n", "2:1 syntax-error"},
	{"interface wg1 {\nexpose tcp 1 to any\n", "2:20 syntax-error"},
	{"interface wg1 {", "1:16 syntax-error"},
	{"}", "1:1 syntax-error"},
	{"test { lan tcp 22; expose tcp 22 to lan; lan can }", "1:12 syntax-error, 1:20 syntax-error, 1:49 syntax-error"},
	{"expose tcp 22 to any", "1:1 syntax-error"},
	{"interface wg1 { expose tcp 22 to any limit 3/day }", "1:38 syntax-error"},
	/* Words that are none are said so, once, and the statement goes on. */
	{"peers a = 1.1.1.1-1.1.1.9, !any, m\xc3\xbc", "1:11 malformed-word, 1:28 malformed-word, 1:34 malformed-word"},
	{"interface wg1 { expose tcp:22, 22/tcp, tcp 80:90 to any }",
	 "1:24 malformed-word, 1:32 malformed-word, 1:44 malformed-word"},
	{"interface wg* { \x01 }", "1:11 malformed-word, 1:17 malformed-word"},
	{"wg1:2 { peers }\npeers", "1:1 malformed-word, 2:6 syntax-error"},
	{"include \"unterminated\npeers", "1:9 malformed-word, 2:6 syntax-error"},
	{"include \"a\tb\"; include \"a\\n\"", "1:9 malformed-word, 1:24 malformed-word"},
	{"include file", "1:9 syntax-error"},
	{"include \"\"", "1:9 file-unreadable"},
	{"include \"/nonexistent/x\"", "1:9 file-unreadable"},
	{"peers a = $", "1:11 malformed-word"},
	{"peers a = $x, wg$x, $x$x", "1:11 undefined-parameter, 1:15 malformed-word, 1:21 malformed-word"},
};

START_TEST(locates_errors)
{
	parse_text(errors[_i].text);
	ck_assert_str_eq(problems(), errors[_i].problems);
}
END_TEST

START_TEST(says_what_was_expected)
{
	parse_text("interface wg1 {\n    expose jellyfin too lan\n}\n");
	ck_assert_str_eq(rendered(), "t.pw:2:21: error: expected ',' or 'to', found 'too' [PW101 syntax-error]\n"
				     "        expose jellyfin too lan\n"
				     "                        ^~~\n"
				     "    = help: did you mean 'to'?\n");
	parse_text("interface wg1 {\n    expose tcp 1 to any lgo \"x\"\n");
	ck_assert_str_eq(rendered(),
			 "t.pw:2:25: error: expected the end of the line, ',', 'at' or 'log', found 'lgo' "
			 "[PW101 syntax-error]\n"
			 "        expose tcp 1 to any lgo \"x\"\n"
			 "                            ^~~\n"
			 "    = help: did you mean 'log'?\n"
			 "t.pw:2:32: error: expected '}', 'expose', 'allow', 'forward' or 'otherwise', found the end of the "
			 "file [PW101 syntax-error]\n"
			 "        expose tcp 1 to any lgo \"x\"\n"
			 "                                   ^\n"
			 "t.pw:1:15: note: this block is not closed\n"
			 "    interface wg1 {\n"
			 "                  ^\n");
	parse_text("peers log = any");
	ck_assert_str_eq(rendered(), "t.pw:1:7: error: expected a name for the peers, found 'log' [PW101 syntax-error]\n"
				     "    peers log = any\n"
				     "          ^~~\n"
				     "    = note: 'log' is a word of the language and cannot be a name\n");
}
END_TEST

START_TEST(refuses_binary_files)
{
	static const char utf16[] = "\xff\xfep\0e\0e\0";

	ck_assert_ptr_nonnull(sources_add(&sources, "t.pw", utf16, sizeof utf16 - 1));
	struct ast *ast = arena_zalloc(&arena, sizeof *ast);
	ck_assert(!parse_policy(ast, &sources, sources.all.data[0], NULL, &arena, &diags));
	ck_assert_str_eq(problems(), "1:4 not-text");
	ck_assert_ptr_nonnull(strstr(rendered(), "UTF-16"));
}
END_TEST

/* ---- parameters ---- */

static void set_parameter(const char *argument)
{
	struct parameter parameter;

	ck_assert(parameter_from_argument(&arena, argument, &parameter));
	vec_push(&arena, &parameters.items, parameter);
}

START_TEST(takes_parameters_apart)
{
	struct parameter parameter;

	ck_assert(parameter_from_argument(&arena, "iface=wg1=x", &parameter));
	ck_assert_str_eq(parameter.name, "iface");
	ck_assert_str_eq(parameter.value, "wg1=x");
	ck_assert(parameter_from_argument(&arena, "a_b-c.9=", &parameter));
	ck_assert_str_eq(parameter.value, "");
	ck_assert(!parameter_from_argument(&arena, "iface", &parameter));
	ck_assert(!parameter_from_argument(&arena, "=x", &parameter));
	ck_assert(!parameter_from_argument(&arena, "9a=x", &parameter));
	ck_assert(!parameter_from_argument(&arena, "a b=x", &parameter));
}
END_TEST

START_TEST(replaces_parameters)
{
	const struct ast *ast;
	const struct ast_item *item;

	set_parameter("iface=wrong");
	set_parameter("iface=wg1");
	set_parameter("port=22");
	set_parameter("who=10.1.1.0/24");
	set_parameter("how=reject");
	set_parameter("prefix=\"in: \"");
	ast = parse_text("interface $iface { expose tcp $port to $who log $prefix; otherwise $how }");
	ck_assert_str_eq(rendered(), "");
	item = ast->root->items.data[0];
	ck_assert_int_eq(item->words.items.data[0].kind, AST_WORD_NAME);
	ck_assert_mem_eq(item->words.items.data[0].text, "wg1", 3);
	ck_assert_int_eq(item->block.statements.data[0]->to.items.data[0].kind, AST_WORD_ADDRESS);
	ck_assert_mem_eq(item->block.statements.data[0]->log.prefix.text, "in: ", 4);
	/* The formatter gives them back as they were. */
	ck_assert_str_eq(format(ast), "interface $iface {\n    expose tcp $port to $who log $prefix\n    otherwise $how\n}\n");
}
END_TEST

START_TEST(values_are_one_word)
{
	static const char *const values[] = {
		"x=", "x= ", "x=a b", "x=a;b", "x=wg1 { otherwise drop }", "x=a\nb", "x=a,b", "x=#", "x={", "x=$x", "x=\"a",
		"x=\"a\" b", "x=\"a\nb\"", "x=a\x01", "x=to", "x=interface", "x=tcp", "x=m\xc3\xbc",
	};

	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		parameters.items.len = 0;
		set_parameter(values[i]);
		/* One error, at the first use, and none that follows from it. */
		parse_text("interface wg1 { expose tcp $x to any }\nservice s = tcp $x\n");
		ck_assert_msg(strcmp(problems(), "1:28 bad-parameter") == 0 || strcmp(problems(), "1:28 malformed-word") == 0,
			      "%s: %s", values[i], problems());
		ck_assert_ptr_nonnull(strstr(rendered(), "'$x' is '"));
	}
}
END_TEST

START_TEST(warns_of_unused_parameters)
{
	set_parameter("ifcae=wg1");
	set_parameter("used=wg1");
	parse_text("interface $iface, $used {}\n");
	ck_assert_str_eq(problems(), "- unused-parameter, 1:11 undefined-parameter");
	ck_assert_ptr_nonnull(strstr(rendered(), "did you mean '$ifcae'?"));
}
END_TEST

/* ---- includes ---- */

static char directory[64];

static void include_setup(void)
{
	language_setup();
	snprintf(directory, sizeof directory, "/tmp/peerwall-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
}

static void include_teardown(void)
{
	char command[128];

	texts_teardown();
	ck_assert_int_eq(chdir("/"), 0);
	snprintf(command, sizeof command, "rm -rf %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static void make_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static struct ast *parse_path(const char *path)
{
	struct ast *ast = arena_zalloc(&arena, sizeof *ast);
	struct source *source;

	ck_assert_int_eq(sources_load(&sources, path, POLICY_SIZE_MAX, &source), 0);
	parse_policy(ast, &sources, source, &parameters, &arena, &diags);
	return ast;
}

START_TEST(includes_relative_to_the_file)
{
	const struct ast *ast;

	ck_assert_int_eq(system("mkdir -p sub/deeper"), 0);
	make_file("root.pw", "include \"sub/a.pw\"; peers r = a");
	make_file("sub/a.pw", "include \"deeper/b.pw\"\npeers a = b\ninclude \"../c.pw\"");
	make_file("sub/deeper/b.pw", "peers b = any");
	make_file("c.pw", "peers c = any\n");
	ast = parse_path("root.pw");
	ck_assert_str_eq(rendered(), "");
	ck_assert_str_eq(dump(ast), "(include (name \"sub/a.pw\"))\n(include (name \"deeper/b.pw\"))\n"
				    "(peers (name b) (words any))\n(peers (name a) (words b))\n"
				    "(include (name \"../c.pw\"))\n(peers (name c) (words any))\n"
				    "(peers (name r) (words a))\n");
}
END_TEST

START_TEST(each_file_counts_once)
{
	const struct ast *ast;

	make_file("root.pw", "include \"a.pw\"; include \"./a.pw\"; include \"link.pw\"");
	make_file("a.pw", "peers a = any");
	ck_assert_int_eq(symlink("a.pw", "link.pw"), 0);
	ast = parse_path("root.pw");
	ck_assert_str_eq(rendered(), "");
	ck_assert_str_eq(dump(ast), "(include (name \"a.pw\"))\n(peers (name a) (words any))\n(include (name \"./a.pw\"))\n"
				    "(include (name \"link.pw\"))\n");
}
END_TEST

START_TEST(finds_include_cycles)
{
	make_file("a.pw", "\ninclude \"b.pw\"\n");
	make_file("b.pw", "include \"c.pw\"\n");
	make_file("c.pw", "peers c = any\ninclude \"a.pw\"\n");
	parse_path("a.pw");
	ck_assert_str_eq(rendered(), "c.pw:2:1: error: 'a.pw' includes itself [PW106 include-cycle]\n"
				     "    include \"a.pw\"\n"
				     "    ^~~~~~~~~~~~~~\n"
				     "a.pw:2:1: note: by way of this include\n"
				     "    include \"b.pw\"\n"
				     "    ^~~~~~~~~~~~~~\n"
				     "b.pw:1:1: note: by way of this include\n"
				     "    include \"c.pw\"\n"
				     "    ^~~~~~~~~~~~~~\n");
	diags_init(&diags, &arena);
	make_file("self.pw", "include \"self.pw\"\n");
	parse_path("self.pw");
	ck_assert_str_eq(problems(), "1:1 include-cycle");
}
END_TEST

START_TEST(limits_the_depth_of_includes)
{
	char name[32], text[64];

	for (int i = 0; i <= INCLUDE_DEPTH_MAX + 2; i++) {
		snprintf(name, sizeof name, "f%d.pw", i);
		snprintf(text, sizeof text, "include \"f%d.pw\"\npeers p%d = any\n", i + 1, i);
		make_file(name, text);
	}
	parse_path("f0.pw");
	ck_assert_str_eq(problems(), "1:1 include-depth");
}
END_TEST

START_TEST(places_errors_of_included_files)
{
	make_file("root.pw", "include \"bad.pw\"\ninclude \"none.pw\"\ninclude \".\"\n");
	make_file("bad.pw", "\n  nonsense\n");
	parse_path("root.pw");
	ck_assert_ptr_nonnull(strstr(rendered(), "bad.pw:2:3: error: "));
	ck_assert_ptr_nonnull(strstr(rendered(), "root.pw:2:9: error: cannot read 'none.pw': No such file"));
	ck_assert_ptr_nonnull(strstr(rendered(), "root.pw:3:9: error: cannot read '.': Is a directory"));
	ck_assert_uint_eq(diags.errors, 3);
}
END_TEST

/* ---- the formatter ---- */

static const struct {
	const char *text, *formatted;
} formats[] = {
	{"", ""},
	{"\n\n\n# a  \n\n\n\n# b\n\n", "# a\n\n# b\n"},
	{"peers a=any;peers bcd=any # c\n", "peers a   = any\npeers bcd = any                         # c\n"},
	{"peers a=any\n\npeers bcd=any", "peers a = any\n\npeers bcd = any\n"},
	{"peers a=10.0.0.1, # one\n # own\n\n10.0.0.2 # two\n",
	 "peers a = 10.0.0.1,                     # one\n    # own\n    10.0.0.2                            # two\n"},
	{"service s=\ntcp 1,\nudp 2", "service s =\n    tcp 1,\n    udp 2\n"},
	{"interface wg1{\n\n\nexpose tcp 1 to any\n\n\nallow ping from any;otherwise drop\n\n} # end",
	 "interface wg1 {\n    expose tcp 1 to any\n\n    allow ping from any\n    otherwise drop\n"
	 "}                                       # end\n"},
	{"test{a can tcp 1;bcd cannot ping at any}", "test {\n    a   can    tcp 1\n    bcd cannot ping at any\n}\n"},
	{"interface $i { forward from $a via $b to $c tcp $d, $e log $f limit $g burst $h; otherwise $j }",
	 "interface $i {\n    forward from $a via $b to $c tcp $d, $e log $f limit $g burst $h\n    otherwise $j\n}\n"},
	{"interface a # x\n# y\n\n{ # z\n}", "interface a {                           # x\n    # y\n\n    # z\n}\n"},
	{"include   \"a b\\\"\"", "include \"a b\\\"\"\n"},
};

static void check_format(const char *text, const char *expected)
{
	struct ast first, second;
	const char *formatted;

	diags_init(&diags, &arena);
	ck_assert_msg(parse_policy_alone(&first, &sources, add_text("t.pw", text), &arena, &diags), "%s", rendered());
	formatted = format(&first);
	if (expected)
		ck_assert_str_eq(formatted, expected);
	ck_assert_msg(parse_policy_alone(&second, &sources, add_text("f.pw", formatted), &arena, &diags), "%s", rendered());
	ck_assert_str_eq(dump(&second), dump(&first));
	ck_assert_str_eq(format(&second), formatted);
}

START_TEST(prints_the_canonical_form)
{
	check_format(formats[_i].text, formats[_i].formatted);
}
END_TEST

/* Random statements out of the language's words, laid out at random: the formatted one is the same tree. */
static const char *const fragments[] = {
	"peers a = 10.0.0.1, b", "peers verylongname = any,\n\tfd00::/8", "service s = tcp 80,\n443, udp ssh", "include \"x\"",
	"interface wg1 { }", "interface wg1, \"a+\", $x {\nexpose a, tcp 1-2 to b,\n c at d log \"x\" limit 6/hour burst 2; }",
	"interface w+ { allow icmp 3/4, ping from a\n\n# c\nforward from a via b to c via d s,\n tcp 1\notherwise reject log \"\\\\\" }",
	"test { a can s; bb,\ncc cannot tcp 1 at any # t\n\n ccc can ping }", "service t = s,\n# c\n\nudp 9",
};
static const char *const gaps[] = {"\n", ";", "\n\n\n", " # comment\n", "\n# own line\n", ";\n", "\n\n# a\n\n\n# b\n", "  \n\t"};

START_TEST(formatting_keeps_the_tree)
{
	unsigned seed = 1;

	for (int round = 0; round < 300; round++) {
		struct strbuf text = STRBUF_EMPTY;

		for (int i = 0; i < 12; i++) {
			seed = seed * 1103515245u + 12345u;
			strbuf_adds(&text, fragments[(seed >> 16) % (sizeof fragments / sizeof *fragments)]);
			seed = seed * 1103515245u + 12345u;
			strbuf_adds(&text, gaps[(seed >> 16) % (sizeof gaps / sizeof *gaps)]);
		}
		check_format(strbuf_str(&text), NULL);
		strbuf_free(&text);
	}
}
END_TEST

/* ---- bounds ---- */

START_TEST(garbage_is_quick_and_bounded)
{
	static const char *const pieces[] = {"{", "}", "interface a {", "\"", "$a ", ",", "peers a\n", "a", "\\", "=", "\x80", "test {a"};
	size_t size = 1u << 20;

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		char *text = arena_alloc(&arena, size + 1);
		size_t length = strlen(pieces[i]);
		struct ast *ast = arena_zalloc(&arena, sizeof *ast);

		for (size_t at = 0; at < size; at++)
			text[at] = pieces[i][at % length];
		text[size] = '\0';
		diags_init(&diags, &arena);
		diags.limit = 20;
		ck_assert(!parse_policy(ast, &sources, sources_add(&sources, "g.pw", text, size), NULL, &arena, &diags));
		ck_assert_uint_le(diags.all.len, 40);
		ck_assert_uint_lt(strlen(rendered()), 100000);
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("parse_policy");
	TCase *tests = tcase_create("texts"), *files = tcase_create("includes");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, language_setup, texts_teardown);
	tcase_add_loop_test(tests, builds_trees, 0, (int)(sizeof trees / sizeof *trees));
	tcase_add_loop_test(tests, locates_errors, 0, (int)(sizeof errors / sizeof *errors));
	tcase_add_test(tests, says_what_was_expected);
	tcase_add_test(tests, refuses_binary_files);
	tcase_add_test(tests, takes_parameters_apart);
	tcase_add_test(tests, replaces_parameters);
	tcase_add_test(tests, values_are_one_word);
	tcase_add_test(tests, warns_of_unused_parameters);
	tcase_add_loop_test(tests, prints_the_canonical_form, 0, (int)(sizeof formats / sizeof *formats));
	tcase_add_test(tests, formatting_keeps_the_tree);
	tcase_add_test(tests, garbage_is_quick_and_bounded);
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(files, include_setup, include_teardown);
	tcase_add_test(files, includes_relative_to_the_file);
	tcase_add_test(files, each_file_counts_once);
	tcase_add_test(files, finds_include_cycles);
	tcase_add_test(files, limits_the_depth_of_includes);
	tcase_add_test(files, places_errors_of_included_files);
	suite_add_tcase(suite, files);
	return suite;
}
