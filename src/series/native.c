// SPDX-License-Identifier: Apache-2.0
#include "series/native.h"

#include "base/invariant.h"
#include "series/cell.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BOUNDS = 1 << NATIVE_SCHEMA_MOST, CELL_BITS = 9, CELLS = 1 << CELL_BITS };

// 0.5 * 2^(i / BOUNDS): every schema above 0 has each second, fourth, ... of them. They are those of client_golang, of which
// some are up to four steps of a double below the nearest one: else a value at a bound would be in another bucket than there.
static const double bounds[BOUNDS + 1] = {0.5,
                                          0.5013556375251013,
                                          0.5027149505564014,
                                          0.5040779490592088,
                                          0.5054446430258502,
                                          0.5068150424757447,
                                          0.5081891574554764,
                                          0.509566998038869,
                                          0.5109485743270583,
                                          0.5123338964485679,
                                          0.5137229745593818,
                                          0.5151158188430205,
                                          0.5165124395106142,
                                          0.5179128468009786,
                                          0.5193170509806894,
                                          0.520725062344158,
                                          0.5221368912137069,
                                          0.5235525479396449,
                                          0.5249720429003435,
                                          0.526395386502313,
                                          0.5278225891802786,
                                          0.5292536613972564,
                                          0.5306886136446309,
                                          0.5321274564422321,
                                          0.5335702003384117,
                                          0.5350168559101208,
                                          0.5364674337629877,
                                          0.5379219445313954,
                                          0.5393803988785598,
                                          0.5408428074966075,
                                          0.5423091811066545,
                                          0.5437795304588847,
                                          0.5452538663326288,
                                          0.5467321995364429,
                                          0.5482145409081883,
                                          0.549700901315111,
                                          0.5511912916539204,
                                          0.5526857228508706,
                                          0.5541842058618393,
                                          0.5556867516724088,
                                          0.5571933712979462,
                                          0.5587040757836845,
                                          0.5602188762048033,
                                          0.5617377836665098,
                                          0.5632608093041209,
                                          0.564787964283144,
                                          0.5663192597993595,
                                          0.5678547070789026,
                                          0.5693943173783458,
                                          0.5709381019847808,
                                          0.572486072215902,
                                          0.5740382394200894,
                                          0.5755946149764913,
                                          0.5771552102951081,
                                          0.5787200368168754,
                                          0.5802891060137493,
                                          0.5818624293887887,
                                          0.5834400184762408,
                                          0.585021884841625,
                                          0.5866080400818185,
                                          0.5881984958251406,
                                          0.5897932637314379,
                                          0.5913923554921704,
                                          0.5929957828304968,
                                          0.5946035575013605,
                                          0.5962156912915756,
                                          0.5978321960199137,
                                          0.5994530835371903,
                                          0.6010783657263515,
                                          0.6027080545025619,
                                          0.6043421618132907,
                                          0.6059806996384005,
                                          0.6076236799902344,
                                          0.6092711149137041,
                                          0.6109230164863786,
                                          0.6125793968185725,
                                          0.6142402680534349,
                                          0.6159056423670379,
                                          0.6175755319684665,
                                          0.6192499490999082,
                                          0.620928906036742,
                                          0.622612415087629,
                                          0.6243004885946023,
                                          0.6259931389331581,
                                          0.6276903785123455,
                                          0.6293922197748583,
                                          0.6310986751971253,
                                          0.6328097572894031,
                                          0.6345254785958666,
                                          0.6362458516947014,
                                          0.637970889198196,
                                          0.6397006037528346,
                                          0.6414350080393891,
                                          0.6431741147730128,
                                          0.6449179367033329,
                                          0.6466664866145447,
                                          0.6484197773255048,
                                          0.6501778216898253,
                                          0.6519406325959679,
                                          0.6537082229673385,
                                          0.6554806057623822,
                                          0.6572577939746774,
                                          0.659039800633032,
                                          0.6608266388015788,
                                          0.6626183215798706,
                                          0.6644148621029772,
                                          0.6662162735415805,
                                          0.6680225691020727,
                                          0.6698337620266515,
                                          0.6716498655934177,
                                          0.6734708931164728,
                                          0.6752968579460171,
                                          0.6771277734684463,
                                          0.6789636531064505,
                                          0.6808045103191123,
                                          0.6826503586020058,
                                          0.6845012114872953,
                                          0.6863570825438342,
                                          0.688217985377265,
                                          0.690083933630119,
                                          0.6919549409819159,
                                          0.6938310211492645,
                                          0.6957121878859629,
                                          0.6975984549830999,
                                          0.6994898362691555,
                                          0.7013863456101023,
                                          0.7032879969095076,
                                          0.7051948041086352,
                                          0.7071067811865475,
                                          0.7090239421602076,
                                          0.7109463010845827,
                                          0.7128738720527471,
                                          0.7148066691959849,
                                          0.7167447066838943,
                                          0.718687998724491,
                                          0.7206365595643126,
                                          0.7225904034885232,
                                          0.7245495448210174,
                                          0.7265139979245261,
                                          0.7284837772007218,
                                          0.7304588970903234,
                                          0.7324393720732029,
                                          0.7344252166684908,
                                          0.7364164454346837,
                                          0.7384130729697496,
                                          0.7404151139112358,
                                          0.7424225829363761,
                                          0.7444354947621984,
                                          0.7464538641456323,
                                          0.7484777058836176,
                                          0.7505070348132126,
                                          0.7525418658117031,
                                          0.7545822137967112,
                                          0.7566280937263048,
                                          0.7586795205991071,
                                          0.7607365094544071,
                                          0.762799075372269,
                                          0.7648672334736434,
                                          0.7669409989204777,
                                          0.7690203869158282,
                                          0.7711054127039704,
                                          0.7731960915705107,
                                          0.7752924388424999,
                                          0.7773944698885442,
                                          0.7795022001189185,
                                          0.7816156449856788,
                                          0.7837348199827764,
                                          0.7858597406461707,
                                          0.7879904225539431,
                                          0.7901268813264122,
                                          0.7922691326262467,
                                          0.7944171921585818,
                                          0.7965710756711334,
                                          0.7987307989543135,
                                          0.8008963778413465,
                                          0.8030678282083853,
                                          0.805245165974627,
                                          0.8074284071024302,
                                          0.8096175675974316,
                                          0.8118126635086642,
                                          0.8140137109286738,
                                          0.8162207259936375,
                                          0.8184337248834821,
                                          0.820652723822003,
                                          0.8228777390769823,
                                          0.8251087869603088,
                                          0.8273458838280969,
                                          0.8295890460808079,
                                          0.8318382901633681,
                                          0.8340936325652911,
                                          0.8363550898207981,
                                          0.8386226785089391,
                                          0.8408964152537144,
                                          0.8431763167241966,
                                          0.8454623996346523,
                                          0.8477546807446661,
                                          0.8500531768592616,
                                          0.8523579048290255,
                                          0.8546688815502312,
                                          0.8569861239649629,
                                          0.8593096490612387,
                                          0.8616394738731368,
                                          0.8639756154809185,
                                          0.8663180910111553,
                                          0.8686669176368529,
                                          0.871022112577578,
                                          0.8733836930995842,
                                          0.8757516765159389,
                                          0.8781260801866495,
                                          0.8805069215187917,
                                          0.8828942179666361,
                                          0.8852879870317771,
                                          0.8876882462632604,
                                          0.890095013257712,
                                          0.8925083056594671,
                                          0.8949281411607002,
                                          0.8973545375015533,
                                          0.8997875124702672,
                                          0.9022270839033115,
                                          0.9046732696855155,
                                          0.9071260877501991,
                                          0.909585556079304,
                                          0.9120516927035263,
                                          0.9145245157024483,
                                          0.9170040432046711,
                                          0.9194902933879467,
                                          0.9219832844793128,
                                          0.9244830347552253,
                                          0.9269895625416926,
                                          0.92950288621441,
                                          0.9320230241988943,
                                          0.9345499949706191,
                                          0.9370838170551498,
                                          0.93962450902828,
                                          0.9421720895161669,
                                          0.9447265771954693,
                                          0.9472879907934827,
                                          0.9498563490882775,
                                          0.9524316709088368,
                                          0.9550139751351947,
                                          0.9576032806985735,
                                          0.9601996065815236,
                                          0.9628029718180622,
                                          0.9654133954938133,
                                          0.9680308967461471,
                                          0.9706554947643201,
                                          0.9732872087896164,
                                          0.9759260581154889,
                                          0.9785720620876999,
                                          0.9812252401044634,
                                          0.9838856116165875,
                                          0.9865531961276168,
                                          0.9892280131939752,
                                          0.9919100824251095,
                                          0.9945994234836328,
                                          0.9972960560854698,
                                          1};

// How many of them are below each of CELLS equal parts of [0.5, 1). No part has two of them.
static const uint16_t below[CELLS] = {
    0,   1,   2,   3,   3,   4,   5,   6,   6,   7,   8,   8,   9,   10,  10,  11,  12,  13,  13,
    14,  15,  15,  16,  17,  17,  18,  19,  19,  20,  21,  22,  22,  23,  24,  24,  25,  26,  26,
    27,  28,  28,  29,  30,  30,  31,  32,  32,  33,  34,  34,  35,  36,  36,  37,  38,  38,  39,
    39,  40,  41,  41,  42,  43,  43,  44,  45,  45,  46,  47,  47,  48,  48,  49,  50,  50,  51,
    52,  52,  53,  53,  54,  55,  55,  56,  57,  57,  58,  58,  59,  60,  60,  61,  62,  62,  63,
    63,  64,  65,  65,  66,  66,  67,  68,  68,  69,  69,  70,  71,  71,  72,  72,  73,  74,  74,
    75,  75,  76,  77,  77,  78,  78,  79,  79,  80,  81,  81,  82,  82,  83,  83,  84,  85,  85,
    86,  86,  87,  88,  88,  89,  89,  90,  90,  91,  91,  92,  93,  93,  94,  94,  95,  95,  96,
    97,  97,  98,  98,  99,  99,  100, 100, 101, 101, 102, 103, 103, 104, 104, 105, 105, 106, 106,
    107, 107, 108, 109, 109, 110, 110, 111, 111, 112, 112, 113, 113, 114, 114, 115, 115, 116, 117,
    117, 118, 118, 119, 119, 120, 120, 121, 121, 122, 122, 123, 123, 124, 124, 125, 125, 126, 126,
    127, 127, 128, 128, 129, 129, 130, 130, 131, 132, 132, 133, 133, 134, 134, 135, 135, 136, 136,
    137, 137, 138, 138, 139, 139, 140, 140, 141, 141, 141, 142, 142, 143, 143, 144, 144, 145, 145,
    146, 146, 147, 147, 148, 148, 149, 149, 150, 150, 151, 151, 152, 152, 153, 153, 154, 154, 155,
    155, 156, 156, 156, 157, 157, 158, 158, 159, 159, 160, 160, 161, 161, 162, 162, 163, 163, 163,
    164, 164, 165, 165, 166, 166, 167, 167, 168, 168, 169, 169, 169, 170, 170, 171, 171, 172, 172,
    173, 173, 174, 174, 174, 175, 175, 176, 176, 177, 177, 178, 178, 178, 179, 179, 180, 180, 181,
    181, 182, 182, 182, 183, 183, 184, 184, 185, 185, 186, 186, 186, 187, 187, 188, 188, 189, 189,
    189, 190, 190, 191, 191, 192, 192, 192, 193, 193, 194, 194, 195, 195, 195, 196, 196, 197, 197,
    198, 198, 198, 199, 199, 200, 200, 201, 201, 201, 202, 202, 203, 203, 203, 204, 204, 205, 205,
    206, 206, 206, 207, 207, 208, 208, 208, 209, 209, 210, 210, 210, 211, 211, 212, 212, 213, 213,
    213, 214, 214, 215, 215, 215, 216, 216, 217, 217, 217, 218, 218, 219, 219, 219, 220, 220, 221,
    221, 221, 222, 222, 223, 223, 223, 224, 224, 224, 225, 225, 226, 226, 226, 227, 227, 228, 228,
    228, 229, 229, 230, 230, 230, 231, 231, 232, 232, 232, 233, 233, 233, 234, 234, 235, 235, 235,
    236, 236, 236, 237, 237, 238, 238, 238, 239, 239, 240, 240, 240, 241, 241, 241, 242, 242, 243,
    243, 243, 244, 244, 244, 245, 245, 246, 246, 246, 247, 247, 247, 248, 248, 248, 249, 249, 250,
    250, 250, 251, 251, 251, 252, 252, 253, 253, 253, 254, 254, 254, 255, 255, 255, 256, 256};

int native_schema(double factor)
{
    double floor_of = floor(log2(log2(factor)));
    return floor_of <= -NATIVE_SCHEMA_MOST    ? NATIVE_SCHEMA_MOST
           : floor_of >= -NATIVE_SCHEMA_LEAST ? NATIVE_SCHEMA_LEAST
                                              : -(int)floor_of;
}

enum { FRACTION_BITS = 52, EXPONENT_OF_HALF = 1022 };

// Always inlined, since it is what most of an observation takes.
static inline __attribute__((always_inline)) int32_t index_in(int schema, double magnitude)
{
    uint64_t bits;
    int exponent = 0;
    if (magnitude < DBL_MIN) { // subnormal
        magnitude *= 0x1p54;
        exponent = -54;
    }
    memcpy(&bits, &magnitude, sizeof bits);
    exponent += (int)(bits >> FRACTION_BITS) - EXPONENT_OF_HALF - 1;
    unsigned n = below[bits >> (FRACTION_BITS - CELL_BITS) & (CELLS - 1)];
    // The fraction, from 0.5 to 1. Numbers above 0 have the order of their bits.
    bits = (bits & (((uint64_t)1 << FRACTION_BITS) - 1)) | (uint64_t)EXPONENT_OF_HALF
                                                               << FRACTION_BITS;
    uint64_t bound;
    memcpy(&bound, &bounds[n], sizeof bound);
    // That of the highest schema; each lower one has every second bound.
    int32_t index = exponent * BOUNDS + (int32_t)n + (bound < bits);
    int lower = NATIVE_SCHEMA_MOST - schema;
    return (index + (1 << lower) - 1) >> lower; // rounds towards -infinity
}

int32_t native_index(int schema, double magnitude)
{
    return index_in(schema, magnitude);
}

double native_bound(int schema, int32_t index)
{
    if (schema <= 0) {
        int64_t exponent = (int64_t)index * (1 << -schema);
        return exponent >= DBL_MAX_EXP ? DBL_MAX : ldexp(1, (int)exponent);
    }
    int n = 1 << schema;
    int32_t whole = index >> schema; // rounds towards -infinity
    return fmin(ldexp(bounds[(index - whole * n) * (BOUNDS >> schema)], whole + 1), DBL_MAX);
}

// ---- Blocks

static uint64_t key_of(bool negative, int32_t index)
{
    return (uint64_t)(uint32_t)index << 2 | (uint64_t)negative << 1 | 1;
}

static int32_t index_of(uint64_t key)
{
    return (int32_t)(uint32_t)(key >> 2);
}

static bool is_negative(uint64_t key)
{
    return (key & 2) != 0;
}

static uint64_t load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static uint32_t used(const struct native_block *b)
{
    return atomic_load_explicit(&b->used, memory_order_relaxed);
}

uint32_t native_slots_for(uint32_t buckets)
{
    uint32_t slots = NATIVE_SLOTS_FIRST;
    while (slots / 4 * 3 < buckets) {
        slots *= 2;
    }
    return slots;
}

void native_block_init(struct native_block *b, uint32_t slots, int schema, double zero_threshold)
{
    invariant(slots >= NATIVE_SLOTS_FIRST && slots <= NATIVE_SLOTS_MOST,
              "a native block has as many slots as it may have");
    b->zero_threshold = zero_threshold;
    b->schema = schema;
    atomic_store_explicit(&b->slots, slots, memory_order_relaxed);
}

void native_block_replace(struct native_block *b)
{
    atomic_store_explicit(&b->used, NATIVE_REPLACED, memory_order_relaxed);
}

// Whether its bucket is that of a finite number, or the one above (native_sum_add_classic), and so many can have been counted.
static bool is_good_slot(int schema, const struct native_slot *slot)
{
    uint64_t key = load(&slot->key);
    return load(&slot->count) <= CELL_WHOLE_MAX &&
           (key == 0 || ((key & 1) != 0 && key >> 34 == 0 &&
                         index_of(key) >= native_index(schema, DBL_TRUE_MIN) &&
                         index_of(key) <= native_index(schema, DBL_MAX) + 1));
}

bool native_block_is_good(const struct native_block *b, size_t bytes)
{
    uint32_t slots = native_slots(b);
    if (slots == 0 || slots > native_slots_for(NATIVE_BUCKETS_MOST) || (slots & (slots - 1)) != 0 ||
        native_block_size(slots) > bytes || b->schema < NATIVE_SCHEMA_LEAST ||
        b->schema > NATIVE_SCHEMA_MOST || !(b->zero_threshold >= 0) || isinf(b->zero_threshold) ||
        used(b) > slots / 4 * 3) {
        return false;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i <= slots; i++) {
        n += load(&b->slot[i].key) != 0;
        if (!is_good_slot(b->schema, &b->slot[i])) {
            return false;
        }
    }
    return n == used(b) || n == used(b) + 1; // a kill came before it was raised
}

// Where a key goes if it is alone. Four buckets side by side are in slots side by side, since values that come together often
// are. Multiplied so, such fours that are side by side are far apart, and each among those of others.
static inline uint32_t place_of(uint64_t key, uint32_t slots)
{
    uint32_t four = (uint32_t)(key >> 4) << 1 | (uint32_t)is_negative(key);
    return (four * 0x9E3779B9u >> (__builtin_clz(slots) + 3)) << 2 | (uint32_t)(key >> 2 & 3);
}

// That of a block; of a wild one, any.
static int schema_of(const struct native_block *b)
{
    return b->schema < NATIVE_SCHEMA_LEAST  ? NATIVE_SCHEMA_LEAST
           : b->schema > NATIVE_SCHEMA_MOST ? NATIVE_SCHEMA_MOST
                                            : b->schema;
}

// The key's slot, or the empty one where it goes.
static inline __attribute__((always_inline)) struct native_slot *
find_slot(struct native_block *b, uint32_t slots, uint64_t key)
{
    uint32_t at = place_of(key, slots);
    for (;;) {
        // A quarter of the slots is empty, so this ends.
        struct native_slot *slot = &b->slot[1 + at];
        uint64_t found = load(&slot->key);
        if (found == key || found == 0) {
            return slot;
        }
        at = (at + 1) & (slots - 1);
    }
}

// The same. NULL: the block's page was lost.
static struct native_slot *slot_of(struct native_block *b, uint64_t key)
{
    uint32_t slots = native_slots(b);
    return slots != 0 ? find_slot(b, slots, key) : NULL;
}

// Adds a key that is not there to an empty slot. Readers see a count of 0 or what is counted.
static void take_slot(struct native_block *b, struct native_slot *slot, uint64_t key)
{
    uint32_t slots = native_slots(b); // 0 if the page was lost meanwhile
    invariant(slots == 0 || used(b) < slots / 4 * 3,
              "a quarter of a native block's slots is empty");
    atomic_store_explicit(&slot->key, key, memory_order_release);
    atomic_store_explicit(&b->used, used(b) + 1, memory_order_relaxed);
}

static bool is_zero(double zero_threshold, double v)
{
    return fabs(v) <= zero_threshold;
}

size_t native_find_list(struct native_block *b, const double *values, size_t n, uint16_t *ret)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        bool zero = is_zero(b->zero_threshold, values[i]);
        struct native_slot *slot =
            zero ? b->slot
                 : slot_of(b, key_of(values[i] < 0, native_index(schema_of(b), fabs(values[i]))));
        if (zero || (slot != NULL && load(&slot->key) != 0)) {
            ret[found++] = (uint16_t)(slot - b->slot);
        }
    }
    return found;
}

enum { NO_SLOT = NATIVE_SLOTS_MOST + 1 };

// Not inlined, since it is seldom needed.
static __attribute__((noinline)) bool make_bucket(struct native_block *b, uint32_t max_buckets,
                                                  struct native_slot *slot, uint64_t key)
{
    bool has_room = used(b) < max_buckets && used(b) < native_slots(b) / 4 * 3;
    if (has_room) {
        take_slot(b, slot, key);
    }
    return has_room;
}

// `slots` and `schema` are the block's.
static inline __attribute__((always_inline)) uint32_t
reserve(struct native_block *b, uint32_t slots, int schema, uint32_t max_buckets, double v)
{
    double magnitude = fabs(v);
    if (magnitude <= b->zero_threshold) {
        return 0;
    }
    uint64_t key = key_of(signbit(v) != 0, index_in(schema, magnitude));
    struct native_slot *slot = find_slot(b, slots, key);
    bool there = load(&slot->key) != 0 || make_bucket(b, max_buckets, slot, key);
    return there ? (uint32_t)(slot - b->slot) : NO_SLOT;
}

uint32_t native_reserve_list(struct native_block *b, uint32_t max_buckets, const double *values,
                             uint32_t n, uint16_t *ret)
{
    const int schema = b->schema;
    const uint32_t slots = native_slots(b);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t slot = slots != 0 ? reserve(b, slots, schema, max_buckets, values[i]) : NO_SLOT;
        if (slot == NO_SLOT) {
            return i;
        }
        ret[i] = (uint16_t)slot;
    }
    return n;
}

uint32_t native_reserve_slot(struct native_block *b, uint32_t max_buckets, double v)
{
    uint32_t slots = native_slots(b);
    return slots != 0 ? reserve(b, slots, b->schema, max_buckets, v) : NO_SLOT;
}

_Atomic uint64_t *native_reserve(struct native_block *b, uint32_t max_buckets, double v)
{
    uint32_t slot = native_reserve_slot(b, max_buckets, v);
    return slot != NO_SLOT ? &b->slot[slot].count : NULL;
}

void native_fetch_all(const struct native_block *b)
{
    enum { CACHE_LINE = 64, MOST = 2048 };
    size_t bytes = native_block_size(native_slots(b));
    for (size_t at = CACHE_LINE; at < bytes && at < MOST; at += CACHE_LINE) {
        __builtin_prefetch((const char *)b + at, 1);
    }
}

void native_fetch(const struct native_block *b, double v)
{
    uint32_t slots = native_slots(b);
    if (slots != 0 && fabs(v) <= DBL_MAX && !is_zero(b->zero_threshold, v)) {
        uint64_t key = key_of(v < 0, native_index(schema_of(b), fabs(v)));
        __builtin_prefetch(&b->slot[1 + place_of(key, slots)], 1);
    }
}

// ---- Lists of buckets

static int compare(const void *a, const void *b)
{
    const struct native_bucket *x = a;
    const struct native_bucket *y = b;
    return x->negative != y->negative ? y->negative - x->negative
                                      : (x->index > y->index) - (x->index < y->index);
}

static bool add_bucket(struct native_sum *s, struct native_bucket bucket)
{
    if (s->n == s->room) {
        size_t room = s->room == 0 ? 256 : 2 * s->room;
        struct native_bucket *more = realloc(s->buckets, room * sizeof *more);
        if (more == NULL) {
            s->failed = true;
            return false;
        }
        s->buckets = more;
        s->room = room;
    }
    s->buckets[s->n++] = bucket;
    return true;
}

// Brings buckets into order, and adds up those that are the same.
static void tidy(struct native_sum *s)
{
    if (s->n == 0) {
        return;
    }
    qsort(s->buckets, s->n, sizeof *s->buckets, compare);
    size_t n = 0;
    for (size_t i = 1; i < s->n; i++) {
        if (compare(&s->buckets[n], &s->buckets[i]) == 0) {
            s->buckets[n].count += s->buckets[i].count;
        } else {
            s->buckets[++n] = s->buckets[i];
        }
    }
    s->n = n + 1;
}

static void lower_to(struct native_sum *s, int schema)
{
    for (; s->schema > schema; s->schema--) {
        for (size_t i = 0; i < s->n; i++) {
            s->buckets[i].index = native_halve(s->buckets[i].index);
        }
    }
    tidy(s);
}

// Buckets that do not reach above the threshold go into the zero bucket.
static void widen_to(struct native_sum *s, double zero_threshold)
{
    size_t n = 0;
    s->zero_threshold = zero_threshold;
    for (size_t i = 0; i < s->n; i++) {
        if (native_bound(s->schema, s->buckets[i].index) <= zero_threshold) {
            s->zero_count += s->buckets[i].count;
        } else {
            s->buckets[n++] = s->buckets[i];
        }
    }
    s->n = n;
}

static double smallest_bound(const struct native_sum *s)
{
    int32_t least = INT32_MAX;
    for (size_t i = 0; i < s->n; i++) {
        least = s->buckets[i].index < least ? s->buckets[i].index : least;
    }
    return native_bound(s->schema, least);
}

static void limit(struct native_sum *s, uint32_t max_buckets)
{
    tidy(s);
    while (s->n > max_buckets && s->schema > NATIVE_SCHEMA_LEAST) {
        lower_to(s, s->schema - 1);
    }
    // Half of them at once, so that this is seldom.
    for (size_t most = max_buckets; s->n > most; most = max_buckets / 2) {
        widen_to(s, smallest_bound(s));
    }
}

void native_sum_begin(struct native_sum *s, const struct native_form *form)
{
    s->schema = form->schema;
    s->zero_threshold = form->zero_threshold;
    s->zero_count = 0;
    s->n = 0;
    s->failed = false;
}

void native_sum_add(struct native_sum *s, const struct native_block *b)
{
    if (b->schema < s->schema) {
        lower_to(s, b->schema);
    }
    s->zero_count += load(&b->slot[0].count);
    for (uint32_t i = 1, slots = native_slots(b); i <= slots; i++) {
        uint64_t key = atomic_load_explicit(&b->slot[i].key, memory_order_acquire);
        uint64_t count = load(&b->slot[i].count);
        if (key == 0 || count == 0) {
            continue;
        }
        struct native_bucket bucket = {is_negative(key), index_of(key), count};
        for (int schema = b->schema; schema > s->schema; schema--) {
            bucket.index = native_halve(bucket.index);
        }
        if (!add_bucket(s, bucket)) {
            return;
        }
    }
    if (b->zero_threshold > s->zero_threshold) {
        s->zero_threshold = b->zero_threshold;
    }
}

void native_sum_add_classic(struct native_sum *s, const double *le, size_t n_bounds,
                            const _Atomic uint64_t *counts)
{
    for (size_t i = 0; i <= n_bounds; i++) {
        uint64_t count = atomic_load_explicit(&counts[i], memory_order_acquire);
        double v = le[i < n_bounds ? i : n_bounds - 1];
        if (count == 0) {
            continue;
        }
        if (is_zero(s->zero_threshold, v)) {
            s->zero_count += count;
            continue;
        }
        struct native_bucket bucket = {v < 0, native_index(s->schema, fabs(v)), count};
        bucket.index += i == n_bounds ? v > 0 ? 1 : -1 : 0;
        if (!add_bucket(s, bucket)) {
            return;
        }
    }
}

uint64_t native_sum_end(struct native_sum *s, uint32_t max_buckets)
{
    widen_to(s, s->zero_threshold);
    limit(s, max_buckets);
    uint64_t count = s->zero_count;
    for (size_t i = 0; i < s->n; i++) {
        count += s->buckets[i].count;
    }
    return count;
}

void native_sum_free(struct native_sum *s)
{
    free(s->buckets);
    *s = (struct native_sum){.n = 0};
}

// ---- Rebuilding

struct native_plan native_plan(const struct native_block *b, uint32_t max_buckets, double v)
{
    struct native_bucket all[NATIVE_BUCKETS_MOST + 1];
    struct native_sum s = {.schema = b->schema,
                           .zero_threshold = b->zero_threshold,
                           .buckets = all,
                           .room = sizeof all / sizeof all[0]};
    for (uint32_t i = 1; i <= native_slots(b) && s.n < NATIVE_BUCKETS_MOST; i++) {
        uint64_t key = load(&b->slot[i].key);
        if (key != 0) {
            s.buckets[s.n++] = (struct native_bucket){is_negative(key), index_of(key), 0};
        }
    }
    s.buckets[s.n++] = (struct native_bucket){v < 0, native_index(schema_of(b), fabs(v)), 0};
    limit(&s, max_buckets);
    // Room for as many again, since a block with more buckets tends to get more.
    uint32_t slots = native_slots_for((uint32_t)s.n);
    slots = slots < native_slots(b) ? native_slots(b) : slots;
    return (struct native_plan){slots, s.schema, s.zero_threshold};
}

void native_rebuild(struct native_block *to, const struct native_block *from)
{
    uint64_t zero = load(&from->slot[0].count);
    for (uint32_t i = 1, slots = native_slots(from); i <= slots; i++) {
        uint64_t key = load(&from->slot[i].key);
        uint64_t count = load(&from->slot[i].count);
        if (key == 0) {
            continue;
        }
        int32_t index = index_of(key);
        for (int schema = from->schema; schema > to->schema; schema--) {
            index = native_halve(index);
        }
        if (native_bound(to->schema, index) <= to->zero_threshold) {
            zero += count;
            continue;
        }
        key = key_of(is_negative(key), index);
        struct native_slot *slot = slot_of(to, key);
        if (slot == NULL) {
            return; // the page of the new block was lost already
        }
        if (load(&slot->key) == 0) {
            take_slot(to, slot, key);
        }
        atomic_store_explicit(&slot->count, load(&slot->count) + count, memory_order_relaxed);
    }
    atomic_store_explicit(&to->slot[0].count, zero, memory_order_relaxed);
}

void native_block_fill(struct native_block *b, const struct native_sum *sum)
{
    atomic_store_explicit(&b->slot[0].count, sum->zero_count, memory_order_relaxed);
    for (size_t i = 0; i < sum->n; i++) {
        uint64_t key = key_of(sum->buckets[i].negative, sum->buckets[i].index);
        struct native_slot *slot = slot_of(b, key);
        if (slot == NULL) {
            return;
        }
        take_slot(b, slot, key);
        atomic_store_explicit(&slot->count, sum->buckets[i].count, memory_order_relaxed);
    }
}
