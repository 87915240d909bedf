/* Two logs of a music service: users with their region, and what they listened to. */
#include <inttypes.h>
#include <stdio.h>

#include "gen.h"

static uint64_t user_id(uint64_t user)
{
    return 2 * user + 1;
}

static void user_line(uint64_t user, uint64_t region)
{
    printf("%" PRIu64 ";%" PRIu64 ";%" PRIu64 ";%s\n", user_id(user), region, hash(2, user) % 3,
           hash(3, user) % 10 < 4 ? "true" : "false");
}

void gen_listen1(uint64_t users)
{
    puts("userId;region;type;paid");
    for (uint64_t u = 0; u < users; u++) {
        uint64_t kind = hash(4, u) % 1000, region = hash(1, u) % 5;
        if (kind == 1) /* a user without a line */
            continue;
        user_line(u, region);
        if (kind == 0) /* a user with two */
            user_line(u, (region + 1) % 5);
    }
}

void gen_listen2(uint64_t events, uint64_t users)
{
    static const char header[] = "hour;userId;songId;genderId;deviceId";
    if (!users)
        users = events / 20 < 10 ? 10 : events / 20;
    puts(header);
    for (uint64_t e = 0; e < events; e++) {
        uint64_t second = e * 86400 / events;
        uint64_t user = user_id((hash(5, e) % users) * (hash(6, e) % users) / users); /* a few users are very busy */
        uint64_t gender = hash(8, e) % 100 < 40 ? 10 + user % 20 : 10 + hash(9, e) % 20;
        printf("18-10-2017 %02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ";%" PRIu64 ";%" PRIu64 ";%" PRIu64 ";%" PRIu64
               "_%" PRIu64 "\n",
               second / 3600, second / 60 % 60, second % 60, user, 150000000 + 7 * (hash(7, e) % 20000), gender,
               hash(10, e) % 3, user);
        if (e % 100000 == 99999) /* as when logs are concatenated */
            puts(header);
    }
}
