# boot.cmd -- choose a slot, count a trial down, start it. See README.md.
#
# Becomes boot.scr by mkimage and lies outside both slots. The places
# that know the board are marked.
#
# A slot whose BOOT_x_LEFT is not set is good: it is started without writing
# anything. One with tries left loses one of them, durably, before it gets
# control. Whatever does not start is followed by the next slot in the order.

setenv moult_order
for moult_word in ${BOOT_ORDER}; do
  if test "${moult_word}" = "a" -o "${moult_word}" = "b"; then
    setenv moult_order "${moult_order} ${moult_word}"
  fi
done
if test -z "${moult_order}"; then
  setenv moult_order "a b"
fi

for moult_word in ${moult_order}; do
  setenv moult_slot
  if test "${moult_word}" = "a"; then
    setenv moult_part 2 # board: partition of slot a
    if test -z "${BOOT_a_LEFT}"; then
      setenv moult_slot a
    elif test "${BOOT_a_LEFT}" -gt 0; then
      setexpr BOOT_a_LEFT ${BOOT_a_LEFT} - 1
      if saveenv; then
        setenv moult_slot a
      fi
    fi
  else
    setenv moult_part 3 # board: partition of slot b
    if test -z "${BOOT_b_LEFT}"; then
      setenv moult_slot b
    elif test "${BOOT_b_LEFT}" -gt 0; then
      setexpr BOOT_b_LEFT ${BOOT_b_LEFT} - 1
      if saveenv; then
        setenv moult_slot b
      fi
    fi
  fi
  if test -n "${moult_slot}"; then
    echo "moult: starting slot ${moult_slot}"
    # board: console, root device, and how the kernel is loaded
    setenv bootargs "console=ttyS0,115200 root=/dev/mmcblk0p${moult_part} ro rootwait panic=10 moult.slot=${moult_slot}"
    if load mmc 0:${moult_part} ${kernel_addr_r} /boot/Image; then
      if load mmc 0:${moult_part} ${fdt_addr_r} /boot/board.dtb; then
        booti ${kernel_addr_r} - ${fdt_addr_r}
      fi
    fi
    echo "moult: slot ${moult_slot} does not start"
  fi
done

echo "moult: no slot starts, trying again"
sleep 10
reset
