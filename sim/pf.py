from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from llvmlite import ir

@intrinsic
def prefetch(typingctx, array, index):
    sig = types.void(array, types.uint64)
    def codegen(context, builder, signature, args):
        ary = context.make_array(signature.args[0])(context, builder, args[0])
        ptr = builder.gep(ary.data, [args[1]])
        i8p = ir.IntType(8).as_pointer()
        fn = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.VoidType(), [i8p, ir.IntType(32), ir.IntType(32), ir.IntType(32)]), "llvm.prefetch.p0")
        i32 = ir.IntType(32)
        builder.call(fn, [builder.bitcast(ptr, i8p), ir.Constant(i32,0), ir.Constant(i32,3), ir.Constant(i32,1)])
        return context.get_dummy_value()
    return sig, codegen
