// Calls setup() once and loop() eight times, as an Arduino core does without end.
#include "Arduino.h"

int main() {
  setup();
  for (int i = 0; i < 8; ++i) loop();
  firmware::exit(0);
}
