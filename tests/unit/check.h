/* Every unit test includes this: cmocka with what it wants before it. */
#ifndef CAIRN_TESTS_UNIT_CHECK_H
#define CAIRN_TESTS_UNIT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#endif
