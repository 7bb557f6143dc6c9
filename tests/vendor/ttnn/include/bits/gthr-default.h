// The cores have no threads.
#include <bits/gthr-single.h>
