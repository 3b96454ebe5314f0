/* Which reader and which printer each kind of values.def has. */
#include "quoting.h"
#include "value.h"

#include <peerwall/bug.h>

#include <inttypes.h>

bool value_read(struct value_reader *reader, struct value *out)
{
	const struct option_row *row = &option_rows[reader->option];
	const struct ipsave_word *word = reader->words;

	out->kind = row->kind;
	switch (row->kind) {
	case VALUE_NONE:
		return true;
	case VALUE_NUMBER:
	case VALUE_NUMBER_HEX:
		return value_number_read(reader, out);
	case VALUE_RANGE:
		return range_read(reader, out);
	case VALUE_MASKED_HEX:
		return masked_read(reader, out);
	case VALUE_PORTS:
		return ports_read(reader, out);
	case VALUE_PORT_LIST:
		return port_list_read(reader, out);
	case VALUE_NETWORK:
		return network_read(reader->family, word->text, word->size, &out->network.addr, &out->network.mask) &&
		       (!(row->flags & PREFIX_ONLY) || addr_netmask_length(&out->network.mask) >= 0);
	case VALUE_ADDRESS:
		return address_read(reader, out);
	case VALUE_ADDR_RANGE:
		return addr_range_read(reader, out);
	case VALUE_STRING:
		return string_read(reader, out);
	case VALUE_WORD:
		return word_read(reader, out);
	case VALUE_WORDS:
		return words_read(reader, out);
	case VALUE_BITS:
		return bits_read(reader, out);
	case VALUE_ENUM:
		return enum_read(reader, out);
	case VALUE_TCP_FLAGS:
		return tcp_flags_read(reader, out);
	case VALUE_ICMP:
		return icmp_read(reader->family, word->text, word->size, out);
	case VALUE_RATE:
		return rate_read(word->text, word->size, row->flags & BYTES_TOO, out);
	case VALUE_BURST:
		return burst_read(word->text, word->size, out);
	case VALUE_MAC:
		return mac_read(reader, out);
	case VALUE_NAT:
		return nat_read(reader, out);
	case VALUE_PORT_RANGE:
		return nat_ports_read(reader, out);
	case VALUE_IDS:
		return ids_read(reader, out);
	case VALUE_PROBABILITY:
		return probability_read(reader, out);
	case VALUE_DAYTIME:
		return daytime_read(reader, out);
	case VALUE_DATE:
		return date_read(reader, out);
	case VALUE_CLASS:
		return class_read(reader, out);
	case VALUE_KIND_COUNT:
		break;
	}
	BUG("a kind of value without a reader: %d", row->kind);
}

void value_print(struct strbuf *out, enum option_id option, const struct value *value)
{
	const struct option_row *row = &option_rows[option];

	switch (row->kind) {
	case VALUE_NONE:
		return;
	case VALUE_NUMBER:
		strbuf_addf(out, "%" PRIu64, value->number);
		return;
	case VALUE_NUMBER_HEX:
		strbuf_addf(out, "0x%0*" PRIx64, row->flags & TWO_DIGITS ? 2 : 1, value->number);
		return;
	case VALUE_RANGE:
		range_print(out, option, value);
		return;
	case VALUE_MASKED_HEX:
		masked_print(out, option, value);
		return;
	case VALUE_PORTS:
	case VALUE_PORT_LIST:
		ports_print(out, value);
		return;
	case VALUE_NETWORK:
		network_print(out, &value->network.addr, &value->network.mask, row->flags & BARE_HOST);
		return;
	case VALUE_ADDRESS:
		addr_print(out, &value->network.addr);
		return;
	case VALUE_ADDR_RANGE:
		addr_print(out, &value->addr_range.lo);
		strbuf_addc(out, '-');
		addr_print(out, &value->addr_range.hi);
		return;
	case VALUE_STRING:
		if (row->flags & QUOTED)
			string_print_quoted(out, value->text);
		else
			string_print(out, value->text);
		return;
	case VALUE_WORD:
	case VALUE_DATE:
		word_encode(out, value->text);
		return;
	case VALUE_WORDS:
		for (size_t i = 0; i < value->words.items.len; i++) {
			if (i > 0)
				strbuf_addc(out, ' ');
			word_encode(out, value->words.items.data[i]);
		}
		return;
	case VALUE_BITS:
		bits_print(out, option, value);
		return;
	case VALUE_ENUM:
		name_print(out, row->names, (unsigned)value->number);
		return;
	case VALUE_TCP_FLAGS:
		tcp_flags_print(out, value);
		return;
	case VALUE_ICMP:
		icmp_print(out, value);
		return;
	case VALUE_RATE:
		rate_print(out, value, row->flags & BYTES_TOO);
		return;
	case VALUE_BURST:
		burst_print(out, value);
		return;
	case VALUE_MAC:
		mac_print(out, value);
		return;
	case VALUE_NAT:
		nat_print(out, value);
		return;
	case VALUE_PORT_RANGE:
	case VALUE_IDS:
		strbuf_addf(out, "%" PRIu64, value->range.lo);
		if (value->range.hi != value->range.lo)
			strbuf_addf(out, "-%" PRIu64, value->range.hi);
		return;
	case VALUE_PROBABILITY:
		probability_print(out, value);
		return;
	case VALUE_DAYTIME:
		daytime_print(out, value);
		return;
	case VALUE_CLASS:
		class_print(out, value);
		return;
	case VALUE_KIND_COUNT:
		break;
	}
	BUG("a kind of value without a printer: %d", row->kind);
}
