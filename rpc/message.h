/* Moved below rpc/, since block transfer frames its messages too. */
#include "proto/message.h"
