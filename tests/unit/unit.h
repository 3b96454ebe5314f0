/* unit.h - what each unit test program provides; tests/unit/main.c runs it. */
#ifndef PEERWALL_UNIT_H
#define PEERWALL_UNIT_H

#include <check.h>

Suite *unit_suite(void);

#endif
