// One body for several instruction sets; the loader picks the widest that the processor has.
#pragma once

#if defined(__linux__) && defined(__x86_64__) && defined(__has_attribute)
#if __has_attribute(target_clones)
#define CT_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif
#endif
#ifndef CT_CLONES
#define CT_CLONES
#endif
