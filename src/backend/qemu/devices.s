# Firmware that does nothing but touch devices: a list of accesses at 2 MiB, what they gave and when at 8 MiB, all of which
# goes out through port e9h. An access is 12 bytes: what, where, value; an answer is value and time stamp counter.
# Built by devices.ts: as --32, ld --oformat binary, placed at the end of a ROM of 64 KiB.

        .code16
        .globl  _start
_start:
        cli
        lgdtl   %cs:(descriptor_table - _start + 0xf000)
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $8, $protected

        .balign 8
segments:
        .quad   0, 0x00cf9a000000ffff, 0x00cf92000000ffff
descriptor_table:
        .word   23
        .long   segments
interrupt_table:
        .word   0x40 * 8 + 7
        .long   0x10000

        .code32
protected:
        movl    $16, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $0x9000, %esp
        # Legacy interrupts are masked; the local APIC's timer comes as vector 40h, and only wakes.
        movb    $0xff, %al
        outb    %al, $0x21
        outb    %al, $0xa1
        lidtl   interrupt_table
        movl    $woken, %eax
        movw    %ax, 0x10000 + 0x40 * 8
        movw    $8, 0x10000 + 0x40 * 8 + 2
        movw    $0x8e00, 0x10000 + 0x40 * 8 + 4
        shrl    $16, %eax
        movw    %ax, 0x10000 + 0x40 * 8 + 6
        movl    $0x1ff, 0xfee000f0
        movl    $0x40, 0xfee00320
        movl    $0x10000, 0xfee00350
        movl    $0xb, 0xfee003e0

        movl    $0x200000, %esi
        movl    $0x800000, %edi
next:
        movl    (%esi), %ebx
        movl    4(%esi), %ecx
        movl    8(%esi), %ebp
        addl    $12, %esi
        cmpl    $9, %ebx
        ja      done
        movl    jumps(, %ebx, 4), %ebx
        rdtsc
        movl    %eax, 4(%edi)
        movl    %edx, 8(%edi)
        movl    %ecx, %edx
        movl    %ebp, %eax
        jmp     *%ebx
out_byte:
        outb    %al, %dx
        jmp     answered
out_word:
        outw    %ax, %dx
        jmp     answered
out_long:
        outl    %eax, %dx
        jmp     answered
in_byte:
        inb     %dx, %al
        jmp     answered
in_word:
        inw     %dx, %ax
        jmp     answered
in_long:
        inl     %dx, %eax
        jmp     answered
read_long:
        movl    (%edx), %eax
        jmp     answered
write_long:
        movl    %eax, (%edx)
        jmp     answered
pause:
        movl    %eax, 0xfee00380
        sti
        hlt
        cli
answered:
        movl    %eax, (%edi)
        addl    $12, %edi
        jmp     next
done:
        movl    %edi, %ecx
        movl    $0x800000, %esi
        subl    %esi, %ecx
        movw    $0xe9, %dx
        rep outsb
        hlt
woken:
        movl    $0, 0xfee000b0
        iret

        .balign 4
jumps:
        .long   done, out_byte, out_word, out_long, in_byte, in_word, in_long, read_long, write_long, pause

        .org    0xff0
        .code16
        ljmp    $0xf000, $0xf000
        .org    0xfff
        .byte   0
