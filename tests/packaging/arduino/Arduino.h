// The part of an Arduino core that the sketch uses, for a board in QEMU: Serial prints through semihosting.
#ifndef ARDUINO_H
#define ARDUINO_H

#include "../../../examples/firmware/firmware.hpp"

// Macros that Arduino's cores define.
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define abs(x) ((x) > 0 ? (x) : -(x))
#define B1 1
#define PI 3.1415926535897932384626433832795
#define F(text) (text)

struct SerialPort {
  void begin(unsigned long) {}
  // Prints the bits of a number, which a test can compare.
  void println(float number, int) { (firmware::Line() << std::string_view(firmware::bits(number))).print(); }
};
inline SerialPort Serial;
inline void delay(unsigned long) {}

void setup();
void loop();

#endif
