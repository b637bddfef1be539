// SPDX-License-Identifier: Apache-2.0
#include "event/bytes.h"

bool bytes_can_wide(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("aes") &&
           __builtin_cpu_supports("bmi");
#else
    return false;
#endif
}
