/* Makes any file a watchdog device for the program that this is loaded into (LD_PRELOAD): answers the requests of the
 * kernel's watchdog API as a driver does that takes 1 to 60 seconds, and writes each time that it was given into the file,
 * between the signs of life, as the letter T and the number. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/watchdog.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (_IOC_TYPE(request) != WATCHDOG_IOCTL_BASE) {
        int (*real)(int, unsigned long, void *) = (int (*)(int, unsigned long, void *))dlsym(RTLD_NEXT, "ioctl");
        return real(fd, request, argument);
    }
    int *seconds = argument;
    if (request == WDIOC_SETTIMEOUT && *seconds >= 1 && *seconds <= 60) {
        if (dprintf(fd, "T%d", *seconds) > 0)
            return 0;
        return -1;
    }
    errno = EINVAL;
    return -1;
}
