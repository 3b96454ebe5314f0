#include <peerwall/ast.h>

void ast_each_item(const struct ast_file *file, void (*visit)(void *context, const struct ast_item *item),
		   void *context)
{
	vec_each(item, &file->items) {
		visit(context, *item);
		if ((*item)->included)
			ast_each_item((*item)->included, visit, context);
	}
}
